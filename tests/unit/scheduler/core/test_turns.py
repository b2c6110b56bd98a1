"""Tests of the turns of schedulers at work that all of them see, without Redis."""

import pytest

from financehub_scheduler.core.shares import Shares
from financehub_scheduler.core.turns import AGAIN_SECONDS, FIRST_SECONDS, STEP_SECONDS, Turns
from financehub_shared.core.clock import ManualClock
from support.schedules import UID


@pytest.fixture
def clock() -> ManualClock:
    """The clock of all schedulers."""
    return ManualClock()


@pytest.fixture
def turns(clock: ManualClock) -> list[Turns]:
    """The turns of three members, by their rank for the schedule."""
    views = [Shares(clock, f"scheduler-{number}") for number in range(3)]
    for view in views:
        view.set_members([each.id.encode() for each in views])
    return [Turns(clock, view) for view in sorted(views, key=lambda view: view.rank(UID))]


def tries(turns: Turns, clock: ManualClock, seconds: int, work: str = "work") -> list[int]:
    """Return the seconds after now at which a scheduler tries a piece of work that it sees once a second."""
    found = []
    for second in range(seconds):
        turns.begin_step()
        if turns.is_ours(UID, work):
            found.append(second)
        clock.advance(1)
    return found


def test_owner_tries_in_each_step(turns: list[Turns], clock: ManualClock) -> None:
    """The owner of a schedule does not wait for anybody."""
    assert tries(turns[0], clock, 5) == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("rank", [1, 2])
def test_others_try_after_a_moment_by_rank_and_then_rarely(turns: list[Turns], clock: ManualClock, rank: int) -> None:
    """The others do not try at the same time, and cost little while the work stays impossible."""
    first = round(FIRST_SECONDS + STEP_SECONDS * (rank - 1))
    assert tries(turns[rank], clock, 130) == [first, first + AGAIN_SECONDS, first + 2 * AGAIN_SECONDS]


def test_work_that_was_done_meanwhile_is_new_when_it_returns(turns: list[Turns], clock: ManualClock) -> None:
    """A step without a piece of work forgets it, so that nothing is kept of what is done."""
    assert tries(turns[1], clock, 2) == []
    turns[1].begin_step()
    assert tries(turns[1], clock, 2) == []
    assert tries(turns[1], clock, 1) == [0]


def test_each_piece_of_work_has_its_time(turns: list[Turns], clock: ManualClock) -> None:
    """The next buffered run of a schedule waits as long as the one before it."""
    assert tries(turns[1], clock, 3, "first") == [2]
    assert tries(turns[1], clock, 3, "second") == [2]
