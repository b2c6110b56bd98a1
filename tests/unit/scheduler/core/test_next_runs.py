"""NextRunPublisher: what an outage of Redis leaves to do. The other tests need Redis."""

from collections.abc import Mapping, Sequence
from typing import cast

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError

from financehub_scheduler.api.schedule import Schedule
from financehub_scheduler.core.next_runs import NextRunPublisher
from financehub_scheduler.core.shares import Shares
from financehub_scheduler.core.state import ScheduleState
from financehub_scheduler.redis.enqueuer import encode
from financehub_scheduler.redis.registry import Registry
from financehub_shared.core.clock import ManualClock
from financehub_shared.redis.schedule_record import NextRuns
from support.schedules import schedule


class Listing:
    """A registry whose listing nobody else writes, and which may lose the connection before a command.

    Args:
        failing: Name of the command that fails once.
    """

    def __init__(self, failing: str) -> None:
        self._failing = failing
        self.published: dict[str, NextRuns] = {}

    def _check(self, command: str) -> None:
        if command == self._failing:
            self._failing = ""
            raise RedisConnectionError(command)

    async def publish_refused(self, refused: Mapping[str, str], now: float) -> None:
        """Do nothing."""

    async def next_runs(self, uids: Sequence[str]) -> list[NextRuns | None]:
        self._check("next_runs")
        return [self.published.get(uid) for uid in uids]

    async def high_water_marks(self, uids: Sequence[str]) -> list[int | None]:
        self._check("high_water_marks")
        return [None] * len(uids)

    async def publish(self, next_runs: Mapping[str, NextRuns]) -> None:
        if next_runs:
            self._check("publish")
        self.published |= next_runs


@pytest.mark.parametrize("failing", ["next_runs", "high_water_marks", "publish"])
async def test_publisher_compares_again_after_redis_was_unavailable(failing: str) -> None:
    """What the dead owner of a schedule did not publish appears, whichever command of the comparison fails."""
    clock, registry = ManualClock(1_800_000_000.0), Listing(failing)
    shares = Shares(clock, "a")
    item = next(each for each in map(_numbered, range(100)) if _is_of_another(shares, each.uid))
    state = ScheduleState(item, clock.now())
    state.next_run = encode(state.due_run(clock.now() + 60), clock.now() + 60)
    publisher = NextRunPublisher(clock, cast("Registry", registry), None, {item.uid: state}, shares)
    publisher.next_run_changed(item.uid)
    await publisher.step()
    assert registry.published == {}
    clock.advance(10)
    with pytest.raises(RedisError):
        await publisher.step()
    await publisher.step()
    assert registry.published[item.uid].times[0] == state.next_enqueue


def _numbered(number: int) -> Schedule:
    return schedule(uid=f"00000000-0000-4000-8000-{number:012d}")


def _is_of_another(shares: Shares, uid: str) -> bool:
    shares.set_members([b"a", b"b"])
    return not shares.owns(uid)
