"""Computes what a backfill will run, before it is requested."""

from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

from financehub_shared.core.moments import format_moment
from financehub_shared.core.text import counted
from financehub_shared.recurrence.build import recurrence_of_spec
from financehub_shared.recurrence.recurrence import Recurrence
from financehub_shared.recurrence.rules import parse_zone
from financehub_shared.schedules.due_times import zone_of
from financehub_shared.schedules.listing import ScheduleInfo
from financehub_shared.schedules.requests import (
    BACKFILL_QUEUE_DEPTH,
    MAX_BACKFILL_RUNS,
    check_range,
    follower_problem,
)

#: Number of due times that a preview shows from the beginning and from the end of the range.
SHOWN = 5


@dataclass(frozen=True, slots=True)
class BackfillPlan:
    """What a backfill will run. Times are Unix seconds.

    Args:
        name: `namespace/name` of the schedule.
        start, end: Range of due times, both inclusive.
        zone: Name of the schedule's time zone.
        total: Number of runs, counted up to one more than `MAX_BACKFILL_RUNS`.
        first, last: Due times at the beginning and at the end of the range; each due time is in one of them. Without
            the end if there are too many.
        policy: Concurrency policy of the schedule.
        queue_depth: Number of messages in the queue beyond which the backfill waits.
        notes: Sentences about what will run, and what will not.
        problem: Why the backfill cannot be requested; empty if it can.
    """

    name: str
    start: float
    end: float
    zone: str
    total: int
    first: tuple[int, ...]
    last: tuple[int, ...]
    policy: str
    queue_depth: int
    notes: tuple[str, ...]
    problem: str

    @property
    def sentence(self) -> str:
        """What will run, such as `The range has 48 due times: 2026-11-01 00:00 … 2026-11-02 23:30 Europe/Berlin`."""
        zone = parse_zone(self.zone)
        ends = [format_moment(at, zone) for at in (*self.first, *self.last)]
        if self.total <= 1:
            return f"The range has 1 due time: {ends[0]} {self.zone}" if ends else "The range has no due time"
        return f"The range has {self.total:,} due times: {ends[0]} … {ends[-1]} {self.zone}"


def plan_backfill(info: ScheduleInfo, start: float, end: float, now: float) -> BackfillPlan:
    """Compute what a backfill of a schedule will run.

    Args:
        info: The schedule.
        start: Start of the range in Unix seconds, inclusive.
        end: End of the range in Unix seconds, inclusive. It must be in the past.
        now: The current time of Redis in Unix seconds.

    Raises:
        InvalidArgumentsError: The range is invalid.
        ConfigError: The stored spec cannot be read, or the calendar of the exchange does not cover the range.
    """
    check_range(start, end, now)
    recurrence = recurrence_of_spec(info.uid, info.spec)
    due = due_times_of_range(recurrence, start, end)
    is_too_long = len(due) > MAX_BACKFILL_RUNS
    problem = ""
    if after := info.spec.get("after"):
        problem = f"The schedule cannot be backfilled: {follower_problem(str(after))}."
    elif is_too_long:
        problem = (
            f"The range has more than {MAX_BACKFILL_RUNS:,} due times, the limit of a backfill. Choose a shorter one."
        )
    elif not due:
        problem = "No due time of the schedule is in this range."
    policy = str(info.spec.get("concurrencyPolicy", "Forbid"))
    return BackfillPlan(
        name=info.name,
        start=start,
        end=end,
        zone=zone_of(info)[0],
        total=len(due),
        first=tuple(due[:SHOWN]),
        last=() if is_too_long else tuple(due[max(SHOWN, len(due) - SHOWN) :]),
        policy=policy,
        queue_depth=_queue_depth(info.spec.get("maxQueueDepth")),
        notes=() if after else _notes(info, "" if problem else policy, _closed_count(recurrence, start, end, len(due))),
        problem=problem,
    )


def due_times_of_range(recurrence: Recurrence, start: float, end: float) -> list[int]:
    """Return the due times that a backfill of a range runs, at most one more than `MAX_BACKFILL_RUNS`.

    Args:
        recurrence: The recurrence of the schedule.
        start: Start of the range in Unix seconds, inclusive.
        end: End of the range in Unix seconds, inclusive.
    """
    # the same moment as the cursor of a new backfill
    after = (int(start * 1000) - 1) / 1000
    return list(islice(recurrence.due_times(after, end), MAX_BACKFILL_RUNS + 1))


def _closed_count(recurrence: Recurrence, start: float, end: float, total: int) -> int | None:
    """Return how many due times are left out because the exchange is closed; None if there are too many to count."""
    if recurrence.calendar is None:
        return 0
    every = len(due_times_of_range(replace(recurrence, calendar=None), start, end))
    return every - total if every <= MAX_BACKFILL_RUNS else None


def _queue_depth(value: Any) -> int:
    return value if isinstance(value, int) else BACKFILL_QUEUE_DEPTH


def _notes(info: ScheduleInfo, policy: str, closed: int | None) -> tuple[str, ...]:
    """Return the sentences about what will run, and what will not.

    Args:
        info: The schedule.
        policy: Its concurrency policy; empty if the backfill cannot be requested, so that nothing will run.
        closed: Number of due times that are left out because the exchange is closed; None if they are too many to
            count.
    """
    notes = _order(info, policy) if policy else []
    if calendar := info.spec.get("calendar"):
        number = "" if closed is None else f" ({closed:,} in this range)"
        notes.append(f"Due times at which {calendar} is closed are left out{number}.")
    if info.spec.get("startTime") or info.spec.get("endTime"):
        notes.append("Nothing is due before startTime and after endTime.")
    if policy and (info.suspended or info.is_paused):
        notes.append(f"The schedule is {'suspended' if info.suspended else 'paused'}. A backfill runs nevertheless.")
    return tuple(notes)


def _order(info: ScheduleInfo, policy: str) -> list[str]:
    """Return the sentences about the order of the runs."""
    depth = _queue_depth(info.spec.get("maxQueueDepth"))
    wait = f"The backfill waits while the queue {info.queue} has more than {counted(depth, 'message')}."
    return [
        "Due times that have already run are run again.",
        f"Several runs may be in progress at the same time. {wait}"
        if policy == "Allow"
        else "The runs start one after another: each waits until the previous run of the schedule has ended.",
    ]
