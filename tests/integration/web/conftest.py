"""Fixtures of the tests of the console and the API: a real server on a Redis with data."""

from collections.abc import Iterator

import httpx
import pytest
import redis

from support.full_redis import fill
from support.web_server import WebServer, serving


@pytest.fixture
def filled(redis_client: redis.Redis, redis_url: str) -> redis.Redis:
    """A Redis that contains every kind of record."""
    fill(redis_client, redis_url)
    return redis_client


@pytest.fixture
def server(filled: redis.Redis, redis_url: str) -> Iterator[WebServer]:
    """A server on a Redis with every kind of record, which limits no client."""
    with serving(redis_url, web_requests_per_second=1_000) as running:
        yield running


@pytest.fixture
def api(server: WebServer) -> Iterator[httpx.Client]:
    """A client of that server."""
    with server.client() as client:
        yield client
