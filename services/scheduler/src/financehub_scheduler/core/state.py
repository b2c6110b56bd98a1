"""The state of one active schedule, which the engine keeps in memory."""

from dataclasses import dataclass

from financehub_scheduler.api.schedule import Schedule
from financehub_scheduler.core.predecessors import Predecessor
from financehub_scheduler.core.successes import Successes
from financehub_scheduler.redis.enqueuer import EncodedRun
from financehub_shared.recurrence.calendar import CalendarHorizonError
from financehub_shared.recurrence.recurrence import Recurrence
from financehub_shared.schedules import Pause


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
    exhausted: bool = False
    predecessor: Predecessor | None = None
    successes: tuple[float, ...] = ()

    @property
    def recurrence(self) -> Recurrence | Successes:
        """Where its due times come from: its rules, or the successes of its predecessor."""
        recurrence = self.schedule.recurrence
        return Successes(self.successes, recurrence.offset) if self.schedule.after else recurrence

    @property
    def next_due(self) -> float | None:
        """Due time of the next run, Unix seconds."""
        return self.next_run.run.due if self.next_run else None


def next_times(state: ScheduleState, count: int) -> list[float]:
    """Return up to `count` next times of a schedule, jitter included, in Unix seconds."""
    offset, due = state.schedule.recurrence.offset, state.next_due
    times: list[float] = []
    while due is not None and len(times) < count:
        times.append(due + offset)
        try:
            due = state.recurrence.next_after(due)
        except CalendarHorizonError:
            break
    return times
