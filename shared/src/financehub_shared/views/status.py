"""The view of the state of the fleet on one page."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from typing_extensions import TypedDict

from financehub_shared.health.checks import FleetSnapshot
from financehub_shared.health.report import HealthCheck, HealthReport
from financehub_shared.schedules import ScheduleInfo
from financehub_shared.views.breakers import BreakerStateView, breaker_state_view
from financehub_shared.views.fields import Field
from financehub_shared.views.fleet import QueueView, TierView, queue_view, tier_views
from financehub_shared.views.formats import Time, iso_time
from financehub_shared.views.freshness import FreshnessView, freshness_views
from financehub_shared.views.schedules import PauseView, pause_view


class CheckView(TypedDict):
    """The result of one check of the health report."""

    name: Annotated[str, Field(description="The name of the check.", examples=["queue:high"])]
    status: Annotated[str, Field(description="The result: `ok`, `degraded` or `down`.")]
    reason: Annotated[str, Field(description="One sentence for people: the problem, or statistics if there is none.")]
    details: Annotated[Mapping[str, Any], Field(description="The statistics of the check, by name.")]


class ScheduleStateView(TypedDict):
    """The last and the next run of one schedule."""

    name: Annotated[str, Field(description="The name of the schedule, as `namespace/name`.")]
    task: Annotated[str, Field(description="The task that it runs.")]
    suspended: Annotated[bool, Field(description="Whether it is suspended.")]
    paused: Annotated[PauseView | None, Field(description="Who paused it, why and when. Null if it is not paused.")]
    problem: Annotated[str, Field(description="Why it does not run. Empty if it runs.")]
    after: Annotated[str, Field(description="The schedule after whose successes it runs. Empty if it has due times.")]
    last_outcome: Annotated[str | None, Field(description="How its last run ended. Null if no run has ended.")]
    last_success_at: Annotated[
        Time | None, Field(description="The end of its last run that succeeded. Null if there is none.")
    ]
    next: Annotated[list[Time | None], Field(description="The times of its next runs, at most three.")]
    next_in_seconds: Annotated[
        float | None, Field(description="The time until the next run in seconds. Null if there is no next run.")
    ]


class StatusView(TypedDict):
    """The state of the whole fleet."""

    status: Annotated[str, Field(description="The worst status of the checks: `ok`, `degraded` or `down`.")]
    at: Annotated[Time | None, Field(description="The time of the report.")]
    problems: Annotated[list[str], Field(description="The name and the reason of each check that is not ok.")]
    checks: Annotated[list[CheckView], Field(description="All checks.")]
    tiers: Annotated[list[TierView], Field(description="The tiers, and the schedulers.")]
    queues: Annotated[list[QueueView], Field(description="The queues.")]
    schedules: Annotated[list[ScheduleStateView], Field(description="The schedules.")]
    refused_schedules: Annotated[
        Mapping[str, str],
        Field(description="The documents that the scheduler refused: `file:line`, and what is wrong there."),
    ]
    breakers: Annotated[list[BreakerStateView], Field(description="The circuit breakers that have been used.")]
    freshness: Annotated[list[FreshnessView], Field(description="The last delivery of each dataset by each provider.")]


def check_view(check: HealthCheck) -> CheckView:
    """Return the view of the result of a check."""
    return {
        "name": check.name,
        "status": check.status.value,
        "reason": check.reason,
        "details": dict(check.details),
    }


def schedule_state_view(info: ScheduleInfo, now: float) -> ScheduleStateView:
    """Return the view of the last and the next run of a schedule.

    Args:
        info: The schedule.
        now: The current time in Unix seconds.
    """
    return {
        "name": info.name,
        "task": info.task,
        "suspended": info.suspended,
        "paused": pause_view(info.paused),
        "problem": info.problem,
        "after": info.after,
        "last_outcome": info.outcome.last_run_outcome or None,
        "last_success_at": iso_time(info.outcome.last_success_at),
        "next": [iso_time(at) for at in info.next_times],
        "next_in_seconds": round(info.next_times[0] - now, 3) if info.next_times else None,
    }


def status_view(
    report: HealthReport, snapshot: FleetSnapshot, schedules: Sequence[ScheduleInfo], refused: Mapping[str, str]
) -> StatusView:
    """Return the view of the state of the fleet.

    Args:
        report: The health report of the snapshot.
        snapshot: What the report was made from.
        schedules: The registered schedules.
        refused: The documents that the scheduler refused: position → problem and fix.
    """
    return {
        "status": report.status.value,
        "at": iso_time(snapshot.now),
        "problems": report.problems,
        "checks": [check_view(check) for check in report.checks],
        "tiers": tier_views(snapshot),
        "queues": [queue_view(figures) for figures in snapshot.queues],
        "schedules": [schedule_state_view(info, snapshot.now) for info in schedules],
        "refused_schedules": dict(refused),
        "breakers": [breaker_state_view(info) for info in snapshot.breakers],
        "freshness": freshness_views(snapshot.last_success, snapshot.limits, snapshot.now),
    }
