"""Fixtures for the simulator tests: one simulator for the whole suite, reset before each test, and one HTTP client."""

from collections.abc import Iterator

import httpx
import pytest

from support.simulator import RunningSimulator


@pytest.fixture(scope="session")
def _running() -> Iterator[RunningSimulator]:
    """The simulator for the whole suite."""
    with RunningSimulator() as simulator:
        yield simulator


@pytest.fixture
def simulator(_running: RunningSimulator) -> RunningSimulator:
    """A running simulator without faults, and with unused rate limits and request counts at zero."""
    _running.reset()
    return _running


@pytest.fixture(scope="session")
def _client() -> Iterator[httpx.Client]:
    """The HTTP client for the whole suite. Creating one takes longer than a test because it reads all certificates."""
    with httpx.Client(timeout=60, trust_env=False) as http_client:
        yield http_client


@pytest.fixture
def client(_client: httpx.Client) -> httpx.Client:
    """An HTTP client without cookies that ignores the environment's proxies."""
    _client.cookies.clear()
    return _client
