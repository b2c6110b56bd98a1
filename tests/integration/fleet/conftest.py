"""Fixtures for the fleet tests: Redis, simulator, scheduler and tiers as real processes."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support.fleet import Fleet
from support.redis_server import RedisServer
from support.simulator import RunningSimulator

#: Lines of each log that are printed for a failed test.
_LOG_LINES = 40

StartFleet = Callable[..., Fleet]


@pytest.fixture
def simulator() -> Iterator[RunningSimulator]:
    """A simulator of the upstreams, without rate limits."""
    with RunningSimulator(enforce_rate_limits=False) as running:
        yield running


@pytest.fixture
def fleet(
    tmp_path: Path, simulator: RunningSimulator, redis_server: Callable[..., RedisServer]
) -> Iterator[StartFleet]:
    """Return a function that builds a fleet, whose processes the test starts.

    Its positional arguments are Redis options, and its keyword arguments are settings. The ends of the logs are
    printed, and pytest shows them if the test fails.
    """
    built: list[Fleet] = []

    def build(*redis_options: str, **environment: str) -> Fleet:
        built.append(Fleet(tmp_path, redis_server(*redis_options), simulator, environment))
        return built[-1]

    yield build
    for instance in built:
        instance.stop()
    for log in sorted(tmp_path.glob("*.log")):
        lines = log.read_text(encoding="utf-8").splitlines()[-_LOG_LINES:]
        sys.stdout.write("\n".join([f"--- {log.name}", *lines, ""]))
