"""Fixtures: one simulator for the whole suite, reset before each test, and one HTTP client."""

from collections.abc import Iterator

import httpx
import pytest

from support.simulator import RunningSimulator


@pytest.fixture(scope="session")
def _running() -> Iterator[RunningSimulator]:
    """The simulator of the whole suite."""
    with RunningSimulator() as simulator:
        yield simulator


@pytest.fixture
def simulator(_running: RunningSimulator) -> RunningSimulator:
    """A running simulator without faults, request counts and used rate limits."""
    _running.reset()
    return _running


@pytest.fixture(scope="session")
def _client() -> Iterator[httpx.Client]:
    """The HTTP client of the whole suite. Creating one takes longer than a test because it reads all certificates."""
    with httpx.Client(timeout=10, trust_env=False) as http_client:
        yield http_client


@pytest.fixture
def client(_client: httpx.Client) -> httpx.Client:
    """An HTTP client without cookies that ignores the proxies of the environment."""
    _client.cookies.clear()
    return _client
