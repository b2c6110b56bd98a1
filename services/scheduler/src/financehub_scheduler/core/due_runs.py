"""Decides which runs to enqueue for a schedule whose time has come."""

from financehub_scheduler.catch_up import CatchUpPlan, plan_catch_up
from financehub_scheduler.core.state import ScheduleState
from financehub_scheduler.redis.enqueuer import EncodedRun, encode
from financehub_shared.recurrence.calendar import CalendarHorizonError

#: A run that is less late than this is on time, because the loop was merely busy. A later one goes through
#: `plan_catch_up`, because further due times may have passed. No deadline is shorter.
_ON_TIME_SECONDS = 1.0


def due_runs(state: ScheduleState, fire_at: float, now: float) -> list[EncodedRun]:
    """Return the runs to enqueue for a schedule.

    Args:
        state: The schedule.
        fire_at: Time at which its next run should have been enqueued, Unix seconds.
        now: Unix seconds. After an outage, or if the machine was asleep, it is much later than `fire_at`.
    """
    if state.next_run is None:
        return []
    if now - fire_at < _ON_TIME_SECONDS:
        return [state.next_run]
    plan = _plan(state, state.next_run, fire_at, now)
    if plan.mark is None:
        return []
    missed, expected = plan.missed, state.high_water_mark
    if not plan.fire:
        runs = [state.due_run(plan.mark, missed=missed, expected=expected, with_message=False)]
    else:
        first = state.due_run(plan.fire[0], missed=missed, expected=expected)
        runs = [first, *map(state.due_run, plan.fire[1:])]
    return [encode(run, now) for run in runs]


def _plan(state: ScheduleState, next_run: EncodedRun, fire_at: float, now: float) -> CatchUpPlan:
    schedule, window = state.schedule, state.schedule.starting_deadline_seconds
    try:
        return plan_catch_up(state.timeline, state.high_water_mark, now, schedule.catch_up, window)
    except CalendarHorizonError:
        # The calendar has ended in the meantime. The run whose due time is already known still happens, if its window
        # is not over.
        due = next_run.run.due
        over = window is not None and now - fire_at >= window
        return CatchUpPlan((), 1, due) if over else CatchUpPlan((due,), 0, due)
