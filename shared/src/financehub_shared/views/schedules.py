"""The views of schedules and backfills."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from typing_extensions import TypedDict

from financehub_shared.monitor import RunRecord
from financehub_shared.redis.schedule_record import BackfillInfo
from financehub_shared.schedules import Pause, ScheduleInfo
from financehub_shared.views.fields import Field
from financehub_shared.views.formats import Time, iso_time
from financehub_shared.views.runs import RunView, run_view


class PauseView(TypedDict):
    """Who paused a schedule, why and when."""

    by: Annotated[str, Field(description="The name of the user. Empty if the entry is damaged.", examples=["alice"])]
    reason: Annotated[str, Field(description="The reason that the user gave. Empty if the entry is damaged.")]
    at: Annotated[Time | None, Field(description="The time. Null if the entry is damaged.")]
    failures: Annotated[
        int,
        Field(
            description="The number of runs in a row that failed, if FinanceHub paused the schedule because of "
            "`pauseAfterFailures`. 0 if a user paused it."
        ),
    ]


class ScheduleView(TypedDict):
    """One registered schedule."""

    uid: Annotated[str, Field(description="The id of the schedule, which does not change when its spec changes.")]
    name: Annotated[str, Field(description="The name, as `namespace/name`.", examples=["default/fetch-crypto-prices"])]
    task: Annotated[str, Field(description="The task that it runs.", examples=["fetch_crypto_prices_task"])]
    queue: Annotated[str, Field(description="The queue to which it enqueues.", examples=["high"])]
    schedule: Annotated[
        str,
        Field(
            description="The cron expression or the interval. Several are separated by a semicolon. `after` and a name "
            "if it runs after each success of the schedule with that name.",
            examples=["@every 2m"],
        ),
    ]
    time_zone: Annotated[str, Field(description="The IANA time zone of the cron expression.", examples=["UTC"])]
    suspended: Annotated[bool, Field(description="Whether it is suspended, so that it enqueues no due runs.")]
    paused: Annotated[
        PauseView | None,
        Field(description="Who paused it, so that it enqueues no due runs, why and when. Null if it is not paused."),
    ]
    problem: Annotated[str, Field(description="Why it does not run. Empty if it runs.")]
    next: Annotated[
        list[Time | None],
        Field(description="The times of its next runs, at most three. Empty for a schedule that waits for a success."),
    ]
    alive: Annotated[bool, Field(description="Whether a live scheduler runs the schedule.")]
    buffered: Annotated[
        int,
        Field(
            description="The number of due runs that wait for the previous one, with the concurrency policies "
            "`BufferOne` and `BufferAll`."
        ),
    ]
    runs: Annotated[int, Field(description="The number of messages that were enqueued for due times.")]
    triggered: Annotated[int, Field(description="The number of messages that were enqueued by triggers.")]
    backfilled: Annotated[int, Field(description="The number of messages that were enqueued by backfills.")]
    missed: Annotated[int, Field(description="The number of due times that were given up because they were too late.")]
    skipped: Annotated[
        Mapping[str, int],
        Field(
            description="The number of due times that were skipped, by reason: `overlap`, `backlog` or `refused`.",
            examples=[{"overlap": 2}],
        ),
    ]
    failures: Annotated[int, Field(description="The number of its runs that were dead-lettered or lost.")]
    failures_in_row: Annotated[
        int,
        Field(
            description="The number of its runs in a row that were dead-lettered or lost, since the newest success, "
            "edit or resumption. `pauseAfterFailures` of the spec limits it."
        ),
    ]
    last_due_at: Annotated[
        Time | None, Field(description="The due time of the newest due run. Null if there is none yet.")
    ]
    last_outcome: Annotated[
        str | None,
        Field(
            description="How its last run ended: `succeeded`, `dead-lettered`, `skipped` or `lost`. Null if no run has "
            "ended."
        ),
    ]
    last_success_at: Annotated[
        Time | None, Field(description="The end of its last run that succeeded. Null if there is none.")
    ]
    last_failure_at: Annotated[
        Time | None, Field(description="The end of its last run that failed. Null if there is none.")
    ]
    last_error: Annotated[str, Field(description="The error of its last run in one line. Empty if there was none.")]


class ScheduleDetailView(ScheduleView):
    """One registered schedule with its spec and its newest runs."""

    spec: Annotated[Mapping[str, Any], Field(description="The spec as written, without default values.")]
    warnings: Annotated[
        list[str],
        Field(description="Sentences about lines of the schedule that are not due, or will not be due any more."),
    ]
    recent: Annotated[list[RunView], Field(description="The newest runs, newest first, at most ten.")]


class BackfillView(TypedDict):
    """The progress of one backfill."""

    id: Annotated[str, Field(description="The id of the backfill.")]
    name: Annotated[str, Field(description="The name of the schedule, as `namespace/name`.")]
    start: Annotated[Time | None, Field(description="The start of the range of due times, inclusive.")]
    end: Annotated[Time | None, Field(description="The end of the range of due times, inclusive.")]
    state: Annotated[str, Field(description="The state: `pending`, `running`, `finished` or `refused`.")]
    total: Annotated[int, Field(description="The number of due times in the range. It is 0 while pending.")]
    enqueued: Annotated[int, Field(description="The number of messages that were enqueued so far.")]
    message: Annotated[str, Field(description="Why the backfill was refused. Empty if it was not.")]


def pause_view(pause: Pause | None) -> PauseView | None:
    """Return the view of a pause."""
    if pause is None:
        return None
    return {"by": pause.by, "reason": pause.reason, "at": iso_time(pause.at), "failures": pause.failures}


def schedule_view(info: ScheduleInfo, now: float) -> ScheduleView:
    """Return the view of a schedule.

    Args:
        info: The schedule.
        now: The current time in Unix seconds.
    """
    return {
        "uid": info.uid,
        "name": info.name,
        "task": info.task,
        "queue": info.queue,
        "schedule": info.recurrence_text,
        "time_zone": info.spec.get("timeZone", "UTC"),
        "suspended": info.suspended,
        "paused": pause_view(info.paused),
        "problem": info.problem,
        "next": [iso_time(at) for at in info.next_times],
        "alive": info.is_claimed(now),
        "buffered": info.buffered,
        "runs": info.runs,
        "triggered": info.triggered,
        "backfilled": info.backfilled,
        "missed": info.missed,
        "skipped": dict(info.skipped),
        "failures": info.outcome.failures,
        "failures_in_row": info.failures_in_row,
        "last_due_at": iso_time(info.last_due_at),
        "last_outcome": info.outcome.last_run_outcome or None,
        "last_success_at": iso_time(info.outcome.last_success_at),
        "last_failure_at": iso_time(info.outcome.last_failure_at),
        "last_error": info.outcome.last_run_error,
    }


def schedule_detail_view(info: ScheduleInfo, recent: Sequence[RunRecord], now: float) -> ScheduleDetailView:
    """Return the view of a schedule with its spec and its newest runs.

    Args:
        info: The schedule.
        recent: Its newest runs, newest first.
        now: The current time in Unix seconds.
    """
    # a list of schedules computes no due times
    from financehub_shared.views.schedule_warnings import schedule_warnings

    return {
        **schedule_view(info, now),
        "spec": dict(info.spec),
        "warnings": schedule_warnings(info, now),
        "recent": [run_view(run) for run in recent],
    }


def backfill_view(backfill: BackfillInfo) -> BackfillView:
    """Return the view of a backfill."""
    return {
        "id": backfill.id,
        "name": backfill.name,
        "start": iso_time(backfill.start),
        "end": iso_time(backfill.end),
        "state": backfill.state,
        "total": backfill.total,
        "enqueued": backfill.enqueued,
        "message": backfill.message,
    }
