"""A whole fleet per test: Redis, simulator, scheduler and tiers as real processes."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from financehub_simulator.testing import RunningSimulator
from support.fleet import Fleet
from support.redis_server import RedisServer

_LINES = 40

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
    """Build a fleet; `redis_options` go to its Redis, keywords are settings. Its processes are started by the test.

    What they have said at last is printed, which pytest shows of a test that failed.
    """
    built: list[Fleet] = []

    def build(*redis_options: str, **environment: str) -> Fleet:
        built.append(Fleet(tmp_path, redis_server(*redis_options), simulator, environment))
        return built[-1]

    yield build
    for each in built:
        each.stop()
    for log in sorted(tmp_path.glob("*.log")):
        lines = log.read_text(encoding="utf-8").splitlines()[-_LINES:]
        sys.stdout.write("\n".join([f"--- {log.name}", *lines, ""]))
