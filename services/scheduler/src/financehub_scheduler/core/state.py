"""A schedule under the engine's care, and what is to be enqueued for it when its time has come: pure."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from financehub_scheduler.api.schedule import Schedule
from financehub_scheduler.recurrence.calendar import CalendarHorizonError
from financehub_scheduler.recurrence.catch_up import plan
from financehub_scheduler.redis.enqueuer import Parcel, Run, pack

#: Why the arguments of a schedule are refused at present; empty: they are not.
Refusal = Callable[[Schedule], str]

#: Redis is asked again about a due time it does not believe within a fraction of this.
_AHEAD_SECONDS = 10.0
#: A run this late is planned as missed; below, the loop was merely busy.
_LATE_SECONDS = 1.0


@dataclass(slots=True)
class Live:
    """A schedule under the engine's care.

    Args:
        schedule: what it is.
        mark: due time up to which everything is enqueued or given up, Unix seconds.
        next: the run waited for, packed; None: none.
        problem: why it does not run; empty: it does.
        refused: why its arguments are refused at present, by hand too; empty: they are not.
        superseded: when another scheduler was seen to have registered another state, monotonic seconds; None: never.
    """

    schedule: Schedule
    mark: float
    next: Parcel | None = None
    problem: str = ""
    refused: str = ""
    superseded: float | None = None

    @property
    def due(self) -> float | None:
        """Due time of the run waited for, Unix seconds."""
        return self.next.run.due if self.next else None


@dataclass(slots=True)
class Pulse:
    """Signs of life, monotonic seconds.

    Args:
        tick: the loop last came round.
        ack: Redis last answered.
        ahead: Redis last found our clock far ahead of its own.
    """

    tick: float
    ack: float
    ahead: float = -math.inf

    def is_ahead(self, now: float) -> bool:
        """Whether our clock is still far ahead, as Redis said a moment ago."""
        return now - self.ahead < _AHEAD_SECONDS


@dataclass(frozen=True, slots=True)
class Changes:
    """What a source found.

    Args:
        upserts: schedules that are new or differ.
        removed: uids that are gone.
        withdrawn: uid → why it does not run at present, although it is still there.
        since: uid → Unix seconds from which a schedule is ours, should Redis not know it; now for the others.
        initial: the first look of this process, not a change while it ran.
        complete: with this, the source has shown everything it has.
    """

    upserts: Sequence[Schedule] = ()
    removed: Sequence[str] = ()
    withdrawn: Mapping[str, str] = field(default_factory=dict)
    since: Mapping[str, float] = field(default_factory=dict)
    initial: bool = False
    complete: bool = True


def next_times(live: Live, count: int) -> list[float]:
    """When it runs next, jitter included: up to `count` times, Unix seconds."""
    offset, due = live.schedule.timing.offset, live.due
    times: list[float] = []
    while due is not None and len(times) < count:
        times.append(due + offset)
        try:
            due = live.schedule.timing.next_after(due)
        except CalendarHorizonError:
            break
    return times


def parcels(live: Live, at: float, now: float) -> list[Parcel]:
    """What to enqueue for a schedule whose time has come.

    Args:
        live: the schedule.
        at: when it was to be enqueued, Unix seconds.
        now: Unix seconds; much later after an outage or a sleep.
    """
    schedule = live.schedule
    if live.next is None:
        return []
    if now - at <= _LATE_SECONDS:
        return [live.next]
    try:
        todo = plan(schedule.timing, live.mark, now, schedule.catch_up, schedule.deadline)
    except CalendarHorizonError:
        # the calendar has ended meanwhile; what is known to be due still runs
        return [pack(live.next.run, now)]
    if todo.mark is None:
        return []
    if not todo.fire:
        runs = [Run(schedule, "due", todo.mark, missed=todo.missed, expected=live.mark, fire=False)]
    else:
        first = Run(schedule, "due", todo.fire[0], missed=todo.missed, expected=live.mark)
        runs = [first, *(Run(schedule, "due", due) for due in todo.fire[1:])]
    return [pack(run, now) for run in runs]
