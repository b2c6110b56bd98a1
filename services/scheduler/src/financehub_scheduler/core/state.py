"""The state of one active schedule, which the engine keeps in memory."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any, Self

from financehub_scheduler.api.schedule import Schedule
from financehub_scheduler.redis.enqueuer import EncodedRun, RunSubmission
from financehub_scheduler.redis.registry import RegistrationResult
from financehub_scheduler.successes import Successes
from financehub_scheduler.timeline import Timeline
from financehub_shared.recurrence.calendar import CalendarHorizonError
from financehub_shared.schedules import Pause
from financehub_shared.spec.predecessors import Predecessor

#: States that are visited at once, which takes 0.1 ms. All of 100,000 take so long that due runs would be late.
_SLICE = 2_000
#: The problem of a schedule whose last due time has passed, or which `endTime` ends before the first one.
NO_DUE_TIME = "no due time is left"


@dataclass(slots=True)
class ScheduleState:
    """The state of one active schedule.

    Args:
        schedule: The schedule.
        high_water_mark: Newest settled due time, Unix seconds.
        next_run: The next run, already encoded; None if there is none.
        problem: Reason why the schedule does not run; empty if it runs.
        refused: Why its arguments are currently refused, also for triggers; empty if they are valid.
        paused: Who paused the schedule, why and when; None if it is not paused.
        superseded_at: Monotonic time in seconds at which this scheduler found that another one has registered a
            different state; None if that has not happened.
        since: Time of the last change of the spec or of the last resumption, Unix seconds.
        pending: Due times up to `since` that still run; see `Timeline`.
        exhausted: Whether Redis has found that `maxRuns` is reached.
        is_outdated: Whether Redis had another spec when the claim was last renewed.
        replaced: SHA-1 of the fingerprints of the newest specs before this one that this scheduler has run or replaced.
        predecessor: What a follower knows about its predecessor; None until it was looked for.
        successes: The due times of a follower that are not settled, ascending, in Unix seconds.
        created_at: Time of its creation in Redis, Unix seconds; 0 if it is unknown.
    """

    schedule: Schedule
    high_water_mark: float
    next_run: EncodedRun | None = None
    problem: str = ""
    refused: str = ""
    paused: Pause | None = None
    superseded_at: float | None = None
    since: float = 0.0
    pending: tuple[float, ...] = ()
    exhausted: bool = False
    is_outdated: bool = False
    replaced: tuple[str, ...] = ()
    predecessor: Predecessor | None = None
    successes: tuple[float, ...] = ()
    created_at: float = 0.0

    @classmethod
    def registered(cls, schedule: Schedule, result: RegistrationResult) -> Self:
        """Return the state of a schedule that Redis has registered."""
        mark, since = result.high_water_mark, result.changed_at
        # An edit never acts retroactively: of the due times before it, only the pending ones run.
        left = tuple(due for due in result.pending if mark < due <= since)
        after = mark if left else max(mark, since)
        return cls(
            schedule,
            after,
            paused=result.paused,
            since=since,
            pending=left,
            replaced=(result.replaced,) if result.replaced else (),
            created_at=result.created_at,
        )

    @property
    def timeline(self) -> Timeline:
        """The due times: of its rules or of the successes of its predecessor, and those that an edit has kept."""
        recurrence = self.schedule.recurrence
        found = Successes(self.successes, recurrence.offset) if self.schedule.after else recurrence
        return Timeline(found, self.since, self.pending)

    @property
    def kept_due_times(self) -> tuple[float, ...]:
        """The due times that are not settled and that the spec does not yield, ascending, in Unix seconds."""
        return tuple(due for due in sorted({*self.pending, *self.successes}) if due > self.high_water_mark)

    @property
    def next_enqueue(self) -> float | None:
        """Time at which the next run is to be enqueued, Unix seconds."""
        return self.next_run.run.enqueue_at if self.next_run else None

    @property
    def next_due(self) -> float | None:
        """Due time of the next run, Unix seconds."""
        return self.next_run.run.due if self.next_run else None

    def due_run(self, due: float, **options: Any) -> RunSubmission:
        """Return the submission of a due run.

        Args:
            due: The due time, Unix seconds.
            options: Other arguments of `RunSubmission`.
        """
        # Redis compares the mark with the last change, except for a scheduler that knows of this change.
        since = self.since if self.since > self.high_water_mark else None
        at = self.timeline.enqueue_time(due)
        return RunSubmission(self.schedule, "due", due, enqueue_at=at, since=since, **options)


async def in_slices(states: Mapping[str, ScheduleState]) -> AsyncIterator[list[ScheduleState]]:
    """Yield all states in small parts, between which the loop can do other work.

    A state that was added in the meantime may be missing, and one that was replaced or removed may be included.

    Args:
        states: uid → state.
    """
    everything = list(states.values())
    for first in range(0, len(everything), _SLICE):
        yield everything[first : first + _SLICE]
        await asyncio.sleep(0)


def next_times(state: ScheduleState, count: int) -> list[float]:
    """Return up to `count` next times of a schedule, jitter included, in Unix seconds."""
    timeline, due = state.timeline, state.next_due
    times: list[float] = []
    while due is not None and len(times) < count:
        times.append(timeline.enqueue_time(due))
        try:
            due = timeline.next_after(due)
        except CalendarHorizonError:
            break
    return times
