"""Tests of the planner with a schedule that is paused or never due. The clock is passed, and nothing needs Redis."""

import pytest

from financehub_scheduler.core.listener import SchedulerListener
from financehub_scheduler.core.planner import Planner
from financehub_scheduler.core.state import NO_DUE_TIME, ScheduleState
from financehub_shared.core.clock import ManualClock
from financehub_shared.recurrence.diagnosis import problems
from financehub_shared.schedules import Pause
from support.schedules import UID, schedule

T = 1_800_000_000.0
PAUSE = Pause("alice", "the provider changes its API", T)


class Changed(SchedulerListener):
    """Records whose next run has changed."""

    def __init__(self) -> None:
        self.uids: list[str] = []

    def next_run_changed(self, uid: str) -> None:
        self.uids.append(uid)


@pytest.fixture
def clock() -> ManualClock:
    """Half a second after a full minute."""
    return ManualClock(T + 0.5)


@pytest.fixture
def changed() -> Changed:
    """The listener of the planner."""
    return Changed()


@pytest.fixture
def planner(clock: ManualClock, changed: Changed) -> Planner:
    """A planner without schedules."""
    return Planner(clock, {}, changed, lambda _: "")


def state(paused: Pause | None = None, **spec: object) -> ScheduleState:
    """Return the state of a schedule that is due every minute, and has settled everything until T."""
    return ScheduleState(schedule(**spec), T, paused=paused)


def test_planner_with_paused_schedule_has_nothing_due(planner: Planner, clock: ManualClock, changed: Changed) -> None:
    """A schedule that is paused has no next run, and its listeners hear of it."""
    planner.add(demo := state())
    assert planner.next_time() == T + 60
    planner.set_pause(demo, PAUSE, 0.0)
    clock.advance(600)
    assert planner.next_time() is None
    assert not planner.pop_due(10)
    assert (demo.next_due, demo.problem, demo.paused) == (None, "", PAUSE)
    assert changed.uids == [UID, UID]


def test_planner_with_schedule_that_was_paused_before_has_nothing_due(planner: Planner) -> None:
    """A scheduler that starts later plans no run of a paused schedule."""
    planner.add(state(PAUSE))
    assert planner.next_time() is None


def test_planner_after_the_resumption_plans_the_next_due_time(planner: Planner, clock: ManualClock) -> None:
    """The due times of the pause are not caught up, and a due time after the resumption is not left out."""
    planner.add(demo := state(PAUSE))
    clock.advance(700)
    planner.set_pause(demo, None, T + 650)
    assert planner.next_time() == T + 660
    assert [run.run.due for _, runs in planner.pop_due(10).own for run in runs] == [T + 660]


def test_planner_after_the_resumption_drops_runs_that_waited_for_their_jitter(planner: Planner) -> None:
    """A due time before the resumption does not run, even if its jitter ends after it."""
    demo = state(PAUSE, jitterSeconds=50)
    offset = demo.schedule.recurrence.offset
    assert offset > 1
    planner.add(demo)
    planner.set_pause(demo, None, T + 60.5)
    assert demo.next_due == T + 120
    assert demo.next_enqueue == T + 120 + offset


def test_planner_after_another_reason_keeps_the_high_water_mark(planner: Planner) -> None:
    """A pause whose details change is still the same pause, and only the resumption moves the mark."""
    planner.add(demo := state(PAUSE))
    planner.set_pause(demo, Pause("bob", "another reason", T + 100), 0.0)
    assert demo.high_water_mark == T


def test_planner_after_an_old_resumption_repeats_no_run(planner: Planner) -> None:
    """A resumption that is older than the newest settled due time does not move the mark back."""
    planner.add(demo := state(PAUSE))
    planner.set_pause(demo, None, T - 600)
    assert demo.next_due == T + 60


def test_planner_with_suspended_schedule_after_the_resumption_has_nothing_due(planner: Planner) -> None:
    """A schedule that its source suspends stays suspended when its pause ends."""
    planner.add(demo := state(PAUSE, suspend=True))
    planner.set_pause(demo, None, T)
    assert planner.next_time() is None


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        ({"schedule": "0 3 * * *", "calendar": "XNYS"}, "XNYS is closed at all of its due times"),
        ({"schedule": "0 9 * * SAT", "calendar": "XLON"}, "XLON is closed at all of its due times"),
        (
            {"schedule": "0 3 * * *", "exclude": [{"from": "02:00", "to": "04:00"}]},
            "exclude removes all of its due times",
        ),
        (
            {"schedules": ["0 9 * * SAT", "0 9 * * SUN"], "exclude": [{"weekdays": ["SAT", "SUN"]}]},
            "'0 9 * * SUN' is never",
        ),
        (
            {"schedule": "@open", "calendar": "XNYS", "exclude": [{"weekdays": ["MON", "TUE", "WED", "THU", "FRI"]}]},
            "'@open' is never due",
        ),
    ],
)
def test_planner_with_lines_that_are_never_due_says_why(planner: Planner, spec: dict[str, object], reason: str) -> None:
    """The problem, which listings and the status show, is the sentence with which a file is warned of. It names the
    line and the remedy, and it does not blame the end of the calendar or a passed end of the schedule.
    """
    planner.add(demo := state(**spec))
    assert demo.next_due is None
    assert reason in demo.problem
    assert demo.problem == "; ".join(problems(demo.schedule.recurrence))


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"schedules": ["0 3 * * *", "0 15 * * *"], "calendar": "XNYS"}, ""),
        (
            {"schedule": "0 15 * * *", "calendar": "XNYS", "startTime": "2060-01-01T00:00:00Z"},
            "XNYS covers only the days",
        ),
        ({"schedule": "0 15 * * *", "endTime": "2020-01-01T00:00:00Z"}, NO_DUE_TIME),
        (
            {"schedules": ["0 3 * * *", "0 15 * * *"], "calendar": "XNYS", "endTime": "2026-01-01T00:00:00Z"},
            NO_DUE_TIME,
        ),
    ],
)
def test_planner_with_a_line_that_can_be_due_has_another_problem_or_none(
    planner: Planner, spec: dict[str, object], expected: str
) -> None:
    """One line that can be due is enough for next runs, and if it is over, the reason is that it is over."""
    planner.add(demo := state(**spec))
    assert "is never due" not in demo.problem
    assert expected in demo.problem
    assert bool(demo.problem) == bool(expected)
