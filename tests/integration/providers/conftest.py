"""Fixtures for the provider tests: one simulator for all of them, reset before each test."""

from collections.abc import Iterator

import pytest

from support.simulator import RunningSimulator


@pytest.fixture(scope="session")
def _simulator() -> Iterator[RunningSimulator]:
    """The simulator for the whole suite."""
    with RunningSimulator(enforce_rate_limits=False) as simulator:
        yield simulator


@pytest.fixture
def simulator(_simulator: RunningSimulator) -> RunningSimulator:
    """A running simulator without rate limits, faults or counted requests. Most provider tests use it."""
    _simulator.reset()
    return _simulator
