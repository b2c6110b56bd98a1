"""The views of tiers and queues."""

from typing import Annotated

from typing_extensions import TypedDict

from financehub_shared.core.figures import QueueFigures
from financehub_shared.health.checks import FleetSnapshot
from financehub_shared.health.presence import SCHEDULER
from financehub_shared.views.fields import Field


class TierView(TypedDict):
    """The live processes of one tier, or of the schedulers."""

    tier: Annotated[str, Field(description="The name of the tier, or `scheduler`.", examples=["high"])]
    processes: Annotated[int, Field(description="The number of live processes.")]
    threads: Annotated[int, Field(description="The number of messages that they can process in parallel.")]
    busy: Annotated[int, Field(description="The number of messages that they are processing.")]
    draining: Annotated[int, Field(description="The number of processes that are shutting down.")]


class QueueView(TypedDict):
    """The statistics of one queue at one moment."""

    queue: Annotated[str, Field(description="The name of the queue.", examples=["high"])]
    ready: Annotated[int, Field(description="The number of messages that wait for a worker.")]
    in_flight: Annotated[int, Field(description="The number of messages that workers hold, including orphaned ones.")]
    delayed: Annotated[int, Field(description="The number of messages that become ready later, such as retries.")]
    dead: Annotated[int, Field(description="The number of dead letters.")]
    oldest_age_seconds: Annotated[
        float, Field(description="The time in seconds for which the oldest message has waited. It is 0 without one.")
    ]
    orphaned: Annotated[int, Field(description="The number of messages that dead workers hold.")]


def tier_views(snapshot: FleetSnapshot) -> list[TierView]:
    """Return the view of each tier's processes and of the schedulers."""
    schedulers = [process for process in snapshot.processes if process.tier == SCHEDULER]
    return [
        {
            "tier": tier,
            "processes": len(processes),
            "threads": sum(process.threads for process in processes),
            "busy": sum(process.busy for process in processes),
            "draining": sum(process.draining for process in processes),
        }
        for tier, processes in (*snapshot.workers_by_tier.items(), (SCHEDULER, schedulers))
    ]


def queue_view(figures: QueueFigures) -> QueueView:
    """Return the view of the statistics of a queue."""
    return {
        "queue": figures.queue,
        "ready": figures.ready,
        "in_flight": figures.in_flight,
        "delayed": figures.delayed,
        "dead": figures.dead,
        "oldest_age_seconds": figures.oldest_age_seconds,
        "orphaned": figures.orphaned,
    }
