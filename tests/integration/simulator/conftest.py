"""One simulator for the whole suite, reset before each test."""

from collections.abc import Iterator

import httpx
import pytest

from financehub_simulator.testing import RunningSimulator


@pytest.fixture(scope="session")
def _running() -> Iterator[RunningSimulator]:
    with RunningSimulator() as simulator:
        yield simulator


@pytest.fixture
def simulator(_running: RunningSimulator) -> RunningSimulator:
    """A running simulator without faults, counts or used-up limits."""
    _running.reset()
    return _running


@pytest.fixture(scope="session")
def _client() -> Iterator[httpx.Client]:
    # Making one costs more than most tests: it reads the system's certificates.
    with httpx.Client(timeout=10, trust_env=False) as found:
        yield found


@pytest.fixture
def client(_client: httpx.Client) -> httpx.Client:
    """A plain HTTP client without cookies that does not follow the environment's proxies."""
    _client.cookies.clear()
    return _client
