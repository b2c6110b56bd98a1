"""A whole fleet per test: Redis, simulator, scheduler and tiers as real processes."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from financehub_simulator.testing import RunningSimulator
from support.fleet import Fleet
from support.redis_server import RedisServer

StartFleet = Callable[..., Fleet]


@pytest.fixture
def simulator() -> Iterator[RunningSimulator]:
    """Upstreams of one's own, without rate limits of their own."""
    with RunningSimulator(limited=False) as running:
        yield running


@pytest.fixture
def fleet(
    tmp_path: Path, simulator: RunningSimulator, redis_server: Callable[..., RedisServer]
) -> Iterator[StartFleet]:
    """Build a fleet; `redis_options` go to its Redis, keywords are settings. Its processes are started by the test."""
    built: list[Fleet] = []

    def build(*redis_options: str, **environment: str) -> Fleet:
        built.append(Fleet(tmp_path, redis_server(*redis_options), simulator, environment))
        return built[-1]

    yield build
    for each in built:
        each.stop()
