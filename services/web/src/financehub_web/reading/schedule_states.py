"""Selects schedules by their state, the same in the console and in the API."""

from typing import Literal

from financehub_shared.schedules import ScheduleInfo

#: State → its name for users.
STATES = {
    "succeeded": "last run succeeded",
    "failed": "last run failed",
    "never-run": "not run yet",
    "late": "late",
    "suspended": "suspended",
    "paused": "paused",
    "stopped": "stopped",
}
State = Literal["succeeded", "failed", "never-run", "late", "suspended", "paused", "stopped"]


def has_state(info: ScheduleInfo, state: State, now: float) -> bool:
    """Whether a schedule is in a state.

    Args:
        info: The schedule.
        state: The state.
        now: The current time in Unix seconds.
    """
    outcome = info.outcome.last_run_outcome
    is_idle = info.suspended or info.is_paused
    return {
        "succeeded": outcome == "succeeded",
        "failed": outcome in {"dead-lettered", "lost"},
        "never-run": not outcome,
        "late": info.is_late(now) or not (is_idle or info.problem or info.is_claimed(now)),
        "suspended": info.suspended,
        "paused": info.is_paused,
        # A new or resumed schedule has no next run either, until the scheduler publishes it.
        "stopped": bool(info.problem),
    }[state]
