"""The view of a live process."""

from collections.abc import Sequence
from typing import Annotated

from typing_extensions import TypedDict

from financehub_shared.health.processes import ProcessInfo
from financehub_shared.monitor import RunRecord
from financehub_shared.views.fields import Field
from financehub_shared.views.formats import Time, iso_time


class RunningView(TypedDict):
    """One run in progress."""

    message_id: Annotated[str, Field(description="The id of the run.")]
    task: Annotated[str, Field(description="The name of the task.", examples=["fetch_news_task"])]
    started_at: Annotated[Time | None, Field(description="The start of the attempt.")]


class ProcessView(TypedDict):
    """One live worker or scheduler."""

    id: Annotated[str, Field(description="The id, which changes when the process restarts.")]
    tier: Annotated[str, Field(description="The name of the tier, or `scheduler`.", examples=["high"])]
    host: Annotated[str, Field(description="The name of the host. In Kubernetes, it is the name of the pod.")]
    version: Annotated[
        str, Field(description="The release of FinanceHub. Empty if it is older than this field.", examples=["1.2.3"])
    ]
    pid: Annotated[int, Field(description="The id of the process on its host.")]
    started_at: Annotated[Time | None, Field(description="The time at which the process started.")]
    heartbeat_at: Annotated[
        Time | None, Field(description="The time of the last heartbeat. A process sends one every 5 s.")
    ]
    queues: Annotated[list[str], Field(description="The queues from which it takes messages.", examples=[["high"]])]
    threads: Annotated[int, Field(description="The number of messages that it can process in parallel.")]
    busy: Annotated[int, Field(description="The number of messages that it is processing.")]
    running: Annotated[list[RunningView], Field(description="The runs that it has in progress, newest first.")]
    draining: Annotated[bool, Field(description="Whether it is shutting down, so that it takes no new messages.")]
    clock_skew_seconds: Annotated[
        float | None,
        Field(description="The clock of its host minus that of Redis in seconds. Null if it is not known."),
    ]


def process_view(process: ProcessInfo, running: Sequence[RunRecord] = ()) -> ProcessView:
    """Return the view of a live process.

    Args:
        process: The process.
        running: The runs in progress of all processes, newest first.
    """
    return {
        "id": process.id,
        "tier": process.tier,
        "host": process.host,
        "version": process.version,
        "pid": process.pid,
        "started_at": iso_time(process.started_at),
        "heartbeat_at": iso_time(process.heartbeat_at),
        "queues": list(process.queues),
        "threads": process.threads,
        "busy": process.busy,
        "running": [
            {"message_id": run.message_id, "task": run.task, "started_at": iso_time(run.started_at)}
            for run in running
            if run.worker == process.id
        ],
        "draining": process.draining,
        "clock_skew_seconds": process.clock_skew_seconds,
    }
