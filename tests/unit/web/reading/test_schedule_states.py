"""Tests of the states by which schedules are selected."""

from dataclasses import replace
from typing import get_args

from financehub_shared.redis.schedule_record import ScheduleOutcome
from financehub_shared.schedules import ScheduleInfo
from financehub_shared.schedules.listing import LATE_SECONDS, UNCLAIMED_SECONDS
from financehub_shared.schedules.pauses import Pause
from financehub_web.reading.schedule_states import STATES, State, has_state

T = 1_800_000_000.0
NEVER = ScheduleOutcome()
INFO = ScheduleInfo(
    uid="uid",
    name="default/demo",
    task="task",
    queue="high",
    spec={},
    suspended=False,
    problem="",
    next_times=(T + 30,),
    claimed_at=T,
    runs=0,
    triggered=0,
    backfilled=0,
    missed=0,
    skipped={},
    last_due_at=None,
    outcome=NEVER,
    recent=(),
)


def _states(info: ScheduleInfo, now: float = T) -> set[str]:
    return {state for state in get_args(State) if has_state(info, state, now)}


def test_schedule_is_late_a_minute_after_its_next_run() -> None:
    """A run is late if it should have been enqueued a minute ago, or if no scheduler would enqueue it."""
    assert _states(INFO) == {"never-run"}
    claimed = replace(INFO, claimed_at=T + 60)
    assert _states(claimed, T + 30 + LATE_SECONDS) == {"never-run"}
    assert _states(claimed, T + 31 + LATE_SECONDS) == {"never-run", "late"}
    assert _states(INFO, T + UNCLAIMED_SECONDS + 1) == {"never-run", "late"}


def test_schedule_that_should_not_run_is_not_late() -> None:
    """A suspended, paused or stopped schedule has its own state, however old its claim and its next run are."""
    later = T + 10_000
    assert _states(replace(INFO, suspended=True), later) == {"never-run", "suspended"}
    assert _states(replace(INFO, paused=Pause("alice", "maintenance", T)), later) == {"never-run", "paused"}
    assert _states(replace(INFO, problem="its arguments are refused"), later) == {"never-run", "stopped"}


def test_schedule_whose_next_run_is_not_published_yet_is_not_stopped() -> None:
    """The scheduler publishes the next run of a new or resumed schedule up to three seconds later."""
    assert _states(replace(INFO, next_times=())) == {"never-run"}


def test_schedule_has_the_state_of_its_last_run() -> None:
    """A lost run counts as failed, and a skipped one neither as failed nor as succeeded."""
    for outcome, states in (
        ("succeeded", {"succeeded"}),
        ("dead-lettered", {"failed"}),
        ("lost", {"failed"}),
        ("skipped", set()),
    ):
        assert _states(replace(INFO, outcome=replace(NEVER, last_run_outcome=outcome))) == states
    assert set(STATES) == set(get_args(State))
