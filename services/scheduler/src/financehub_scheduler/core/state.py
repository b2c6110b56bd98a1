"""The state of one active schedule, which the engine keeps in memory."""

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
        predecessor: What a follower knows about its predecessor; None until it was looked for.
        successes: The due times of a follower that are not settled, ascending, in Unix seconds.
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
    predecessor: Predecessor | None = None
    successes: tuple[float, ...] = ()

    @classmethod
    def registered(cls, schedule: Schedule, result: RegistrationResult) -> Self:
        """Return the state of a schedule that Redis has registered."""
        mark, since = result.high_water_mark, result.changed_at
        # An edit never acts retroactively: of the due times before it, only the pending ones run.
        left = tuple(due for due in result.pending if mark < due <= since)
        return cls(schedule, mark if left else max(mark, since), paused=result.paused, since=since, pending=left)

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
