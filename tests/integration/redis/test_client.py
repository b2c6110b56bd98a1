"""Tests of the Redis client with a server that hangs or restarts, and with each kind of URL."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest
import redis

from financehub_shared.redis.client import CONNECTION_RETRIES, connect, connect_async
from support.redis_server import RedisServer


def test_client_of_a_hung_server_raises_within_the_timeout_and_recovers(redis_server: Callable[..., RedisServer]):
    """A hung Redis costs one timeout instead of retries × timeout, and the client works when Redis replies again."""
    server = redis_server()
    client = connect(server.url, timeout=4)
    client.set("k", "v")
    server.hang()
    start = time.monotonic()
    with pytest.raises(redis.TimeoutError):
        client.get("k")
    assert time.monotonic() - start < CONNECTION_RETRIES * 4
    server.resume()
    assert client.get("k") == b"v"
    client.close()


def test_client_of_a_restarted_server_loses_no_command(redis_server: Callable[..., RedisServer]):
    """Connections from before a restart are replaced without an error."""
    server = redis_server()
    client = connect(server.url)
    client.set("k", "v")
    server.restart()
    assert client.get("k") == b"v"
    client.close()


def test_client_of_a_dead_server_raises(redis_server: Callable[..., RedisServer]):
    """Retries are limited, so a server that stays dead causes an error and not an endless wait."""
    server = redis_server()
    client = connect(server.url, retries=1)
    server.kill()
    with pytest.raises(redis.ConnectionError):
        client.ping()
    client.close()


def test_client_with_a_unix_socket_url_works(redis_server: Callable[..., RedisServer], tmp_path: Path):
    """The same function accepts a `unix://` URL."""
    path = tmp_path / "redis.sock"
    redis_server("--unixsocket", str(path))
    client = connect(f"unix://{path}")
    assert client.ping()
    client.close()


async def test_async_client_of_a_hung_server_raises_and_recovers(redis_server: Callable[..., RedisServer]):
    """A hung Redis costs one timeout, and the client works when Redis replies again."""
    server = redis_server()
    client = connect_async(server.url, timeout=2)
    await client.set("k", "v")
    server.hang()
    with pytest.raises(redis.TimeoutError):
        await client.get("k")
    server.resume()
    assert await client.get("k") == b"v"
    await client.aclose()


def test_connection_asks_for_the_role_once(redis_server: Callable[..., RedisServer]):
    """The check of a new connection uses the reply of the login, which contains the role, and costs no round trip."""
    server = redis_server()
    observer = connect(server.url)
    observer.config_resetstat()
    for _ in range(5):
        assert connect(server.url).ping()
    assert observer.info("commandstats")["cmdstat_hello"]["calls"] == 5
