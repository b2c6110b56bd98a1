"""Claims: that the renewal of many gives way to due runs. The other tests need Redis."""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import cast
from uuid import uuid4

from financehub_scheduler.core.claims import Claims
from financehub_scheduler.core.engine import Engine
from financehub_scheduler.core.next_runs import NextRunPublisher
from financehub_scheduler.core.shares import Shares
from financehub_scheduler.core.state import ScheduleState
from financehub_scheduler.redis.registry import Registry
from financehub_shared.core.clock import ManualClock
from support.schedules import schedule


class Claimed:
    """A registry that has lost nothing."""

    def __init__(self) -> None:
        self.looked: list[str] = []
        self.claimed: list[str] = []

    async def claimed_before(self, uids: Iterable[str], time: float) -> list[str]:
        """Remember the schedules of others. Their claims are current."""
        self.looked = list(uids)
        return []

    async def claim(self, uids: Iterable[str], now: float, on_record: Callable[..., object]) -> list[str]:
        """Remember the own schedules."""
        self.claimed = list(uids)
        return []

    async def count(self) -> int:
        return 0


async def test_renewal_of_many_claims_gives_way_to_other_work() -> None:
    """The owners of 100,000 schedules take a second to compute, and each schedule is in one of the two shares."""
    clock, registry = ManualClock(1_800_000_000.0), Claimed()
    item = schedule()
    uids = [str(uuid4()) for _ in range(6_000)]
    # Only the uid counts, and each compiled schedule would take a millisecond.
    states = {uid: ScheduleState(replace(item, uid=uid), 0.0) for uid in uids}
    shares = Shares(clock, "a")
    shares.set_members([b"a", b"b"])
    none = cast("Engine", None), cast("NextRunPublisher", None)
    claims = Claims(cast("Registry", registry), *none, states, clock, shares)
    renewing = asyncio.create_task(claims.renew())
    steps = 0
    while not renewing.done():
        await asyncio.sleep(0)
        steps += 1
    assert steps >= 3
    assert sorted([*registry.claimed, *registry.looked]) == sorted(uids)
    assert 2_000 < len(registry.looked) < 4_000
