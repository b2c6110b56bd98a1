"""Decides which runs to enqueue for a schedule whose time has come."""

from financehub_scheduler.catch_up import plan_catch_up
from financehub_scheduler.core.state import ScheduleState
from financehub_scheduler.redis.enqueuer import EncodedRun, RunSubmission, encode
from financehub_shared.recurrence.calendar import CalendarHorizonError

#: A run that is at most this late counts as on time, because the loop was merely busy. A later one goes through
#: `plan_catch_up`, which gives up due times according to `catchUp` (see `GRACE_SECONDS`) and `startingDeadlineSeconds`.
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
    if now - fire_at <= _ON_TIME_SECONDS:
        return [state.next_run]
    schedule = state.schedule
    try:
        decision = plan_catch_up(
            state.recurrence, state.high_water_mark, now, schedule.catch_up, schedule.starting_deadline_seconds
        )
    except CalendarHorizonError:
        # The calendar has ended in the meantime. The run whose due time is already known still happens.
        return [encode(state.next_run.run, now)]
    if decision.mark is None:
        return []
    missed, expected = decision.missed, state.high_water_mark
    if not decision.fire:
        runs = [RunSubmission(schedule, "due", decision.mark, missed=missed, expected=expected, with_message=False)]
    else:
        first = RunSubmission(schedule, "due", decision.fire[0], missed=missed, expected=expected)
        runs = [first, *(RunSubmission(schedule, "due", due) for due in decision.fire[1:])]
    return [encode(run, now) for run in runs]
