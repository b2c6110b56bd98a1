"""Fixtures for schedulers on a real Redis. The test controls their clock."""

from collections.abc import AsyncIterator

import pytest
import redis

from financehub_shared.core.clock import ManualClock
from support.hand_driven import Scheduler, T, build


@pytest.fixture
async def scheduler(redis_url: str, redis_client: "redis.Redis") -> AsyncIterator[Scheduler]:
    """A scheduler at time T + 0.5 s."""
    built = build(redis_url, ManualClock(T + 0.5), redis_client)
    yield built
    await built.connection.aclose()


@pytest.fixture
async def second(scheduler: Scheduler, redis_url: str, redis_client: "redis.Redis") -> AsyncIterator[Scheduler]:
    """Another scheduler on the same Redis and clock."""
    built = build(redis_url, scheduler.clock, redis_client)
    yield built
    await built.connection.aclose()


@pytest.fixture
async def fleet(redis_url: str, redis_client: "redis.Redis") -> AsyncIterator[list[Scheduler]]:
    """Three schedulers at time T + 0.5 s, each with its own clock."""
    built = [build(redis_url, ManualClock(T + 0.5), redis_client) for _ in range(3)]
    yield built
    for each in built:
        await each.connection.aclose()
