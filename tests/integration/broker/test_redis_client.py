"""The client's policy against a Redis that hangs, restarts and is reached over each kind of URL."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest
import redis

from financehub_shared.redis.client import CONNECTION_RETRIES, connect, connect_async
from support.redis_server import RedisServer


def test_a_hung_server_raises_within_the_timeout_and_the_client_recovers(redis_server: Callable[..., RedisServer]):
    """A hung Redis costs one timeout, not retries × timeout, and the same client works once it answers again."""
    server = redis_server()
    client = connect(server.url, timeout=2)
    client.set("k", "v")
    server.hang()
    start = time.monotonic()
    with pytest.raises(redis.TimeoutError):
        client.get("k")
    assert time.monotonic() - start < CONNECTION_RETRIES * 2
    server.resume()
    assert client.get("k") == b"v"
    client.close()


def test_a_restarted_server_costs_no_command(redis_server: Callable[..., RedisServer]):
    """Connections of before a restart are replaced unseen."""
    server = redis_server()
    client = connect(server.url)
    client.set("k", "v")
    server.restart()
    assert client.get("k") == b"v"
    client.close()


def test_a_dead_server_raises_a_connection_error(redis_server: Callable[..., RedisServer]):
    """Retries end: a server that stays away is an error, not a wait for ever."""
    server = redis_server()
    client = connect(server.url, retries=1)
    server.kill()
    with pytest.raises(redis.ConnectionError):
        client.ping()
    client.close()


def test_a_unix_socket_works(redis_server: Callable[..., RedisServer], tmp_path: Path):
    """A `unix://` URL is served by the same function."""
    path = tmp_path / "redis.sock"
    redis_server("--unixsocket", str(path))
    client = connect(f"unix://{path}")
    assert client.ping()
    client.close()


async def test_the_async_client_keeps_the_same_law(redis_server: Callable[..., RedisServer]):
    """Hung: a timeout; resumed: it works."""
    server = redis_server()
    client = connect_async(server.url, timeout=2)
    await client.set("k", "v")
    server.hang()
    with pytest.raises(redis.TimeoutError):
        await client.get("k")
    server.resume()
    assert await client.get("k") == b"v"
    await client.aclose()
