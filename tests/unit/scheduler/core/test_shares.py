"""Tests of the shares of the live schedulers, without Redis."""

from collections import Counter
from collections.abc import Iterable

import pytest

from financehub_scheduler.core.shares import TAKE_OVER_SECONDS, Shares
from financehub_shared.core.clock import ManualClock
from support.schedules import UID, schedule

UIDS = [f"5d1c1a64-8a63-5a0e-9b0a-{number:012d}" for number in range(1_000)]


def fleet(count: int, clock: ManualClock | None = None) -> list[Shares]:
    """Return the views of schedulers that are all members."""
    found = [Shares(clock or ManualClock(), f"scheduler-{number}") for number in range(count)]
    tell(found, found)
    return found


def tell(views: Iterable[Shares], members: Iterable[Shares]) -> None:
    """Let schedulers read the same members."""
    ids = [member.id.encode() for member in members]
    for view in views:
        view.set_members(ids)


@pytest.mark.parametrize("count", [1, 2, 3, 10])
def test_members_divide_the_schedules_evenly_and_without_gaps(count: int) -> None:
    """Each schedule has one owner, the ranks of the others are all different, and the shares are of about one size."""
    views = fleet(count)
    owned = Counter[int]()
    for uid in UIDS:
        ranks = [view.rank(uid) for view in views]
        assert sorted(ranks) == list(range(count))
        owned[ranks.index(0)] += 1
    assert all(abs(owned[number] - len(UIDS) / count) < 0.35 * len(UIDS) / count for number in range(count))


def test_member_that_leaves_moves_only_its_share_to_the_next_ones() -> None:
    """After a member has left, its schedules go to those that had rank 1, and all others keep their owner."""
    views = fleet(3)
    before = {uid: [view.rank(uid) for view in views] for uid in UIDS}
    left, rest = views[0], views[1:]
    tell(views, rest)
    for uid in UIDS:
        owner = next(view for view in rest if view.rank(uid) == 0)
        expected = 1 if before[uid][0] == 0 else 0
        assert before[uid][views.index(owner)] == expected
        assert left.rank(uid) == 2, "one that has left comes after all members"


@pytest.mark.parametrize("members", [[], ["me"]])
def test_scheduler_without_others_owns_everything(members: list[str]) -> None:
    """A scheduler that has not read the members yet, or is the only one, waits for nobody."""
    view = Shares(ManualClock(), "me")
    view.set_members([member.encode() for member in members])
    assert view.wait_seconds(schedule()) is None


def test_scheduler_that_has_not_joined_waits_for_all_members() -> None:
    """A scheduler that is starting or is paused owns nothing while others are members."""
    view = Shares(ManualClock(), "me")
    view.set_members([b"a", b"b"])
    assert view.wait_seconds(schedule()) == pytest.approx(TAKE_OVER_SECONDS + 0.1)


def test_waits_of_a_large_fleet_are_all_shorter_than_a_second() -> None:
    """Only one member takes over at first, and even the last of many does so within a second."""
    waits = sorted(view.wait_seconds(schedule()) or 0.0 for view in fleet(30))
    assert waits[0] == 0.0
    assert waits[1] == TAKE_OVER_SECONDS
    assert waits[1] < waits[2] < waits[3]
    assert waits[-1] < 1.0


@pytest.mark.parametrize(
    ("spec", "waits"),
    [
        ({}, True),
        ({"jitterSeconds": 50}, True),
        ({"schedule": "@every 1s"}, True),
        ({"startingDeadlineSeconds": 10}, True),
        ({"startingDeadlineSeconds": 9}, False),
        ({"startingDeadlineSeconds": 1}, False),
        ({"after": "first"}, False),
    ],
)
def test_others_do_not_wait_if_a_late_run_is_worse(spec: dict[str, object], waits: bool) -> None:
    """Nobody waits for the owner of a follower, or if a large part of the window would be over."""
    other = next(view for view in fleet(2) if not view.owns(UID))
    assert (other.wait_seconds(schedule(**spec)) or 0.0) == (TAKE_OVER_SECONDS if waits else 0.0)


def test_schedule_that_is_taken_over_counts_as_own_for_longer_each_time_in_a_row() -> None:
    """An adoption lasts a minute, then twice as long each time, up to an hour, until the owner works again."""
    clock = ManualClock()
    other = next(view for view in fleet(2, clock) if not view.owns(UID))
    lengths = []
    for _ in range(8):
        other.took_over(schedule())
        begin = clock.monotonic()
        while other.owns(UID):
            clock.advance(30)
        lengths.append(clock.monotonic() - begin)
    assert lengths == [60, 120, 240, 480, 960, 1_920, 3_600, 3_600]
    other.owner_works(UID)
    other.took_over(schedule())
    clock.advance(61)
    assert not other.owns(UID)


@pytest.mark.parametrize("spec", [{"after": "first"}, {"startingDeadlineSeconds": 5}])
def test_schedule_for_whose_owner_nobody_waits_is_not_adopted(spec: dict[str, object]) -> None:
    """Being faster than the owner, without a wait, does not show that the owner does not work."""
    other = next(view for view in fleet(2) if not view.owns(UID))
    other.took_over(schedule(**spec))
    assert not other.owns(UID)


def test_change_of_the_members_ends_all_adoptions() -> None:
    """After a member has joined or left, the new owner is expected to work."""
    views = fleet(2)
    other = next(view for view in views if not view.owns(UID))
    other.took_over(schedule())
    assert other.owns(UID)
    ids = [view.id.encode() for view in views]
    assert not other.set_members(ids)
    assert other.owns(UID)
    assert other.set_members([*ids, b"third"])
    assert other.rank(UID) == 0 or not other.owns(UID)


def test_memory_after_removal_of_schedules_is_empty() -> None:
    """Nothing is kept of a schedule that was removed."""
    view = fleet(2)[0]
    for uid in UIDS:
        each = schedule(uid=uid)
        view.took_over(each)
        view.forget(uid)
    assert view._ranks == view._adopted == {}
