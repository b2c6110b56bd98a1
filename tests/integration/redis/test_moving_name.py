"""Clients whose host name leads to another server after a failover (F1)."""

import socket
from collections.abc import Callable
from typing import Any

import pytest
import redis

from financehub_shared.redis.client import connect, connect_async
from support.redis_server import PATIENT_SECONDS, RedisServer

URL = "redis://master.test:6379/0"


async def test_open_connections_follow_a_name_that_moves(
    redis_server: Callable[..., RedisServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The old master stays reachable as a replica. Clients notice the demotion, and look the name up again."""
    old, new = redis_server(), redis_server()
    where = old
    look_up = socket.getaddrinfo

    def resolve(host: Any, port: Any, *arguments: Any, **options: Any) -> Any:
        if host == "master.test":
            host, port = "127.0.0.1", where.port
        return look_up(host, port, *arguments, **options)

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    client, coroutines = connect(URL, timeout=PATIENT_SECONDS), connect_async(URL, timeout=PATIENT_SECONDS)
    client.set("by a client", "old")
    await coroutines.set("by a coroutine", "old")
    with old.client() as admin:
        admin.replicaof("127.0.0.1", "1")  # nothing listens there
    with pytest.raises(redis.ReadOnlyError):
        old.client().set("key", "1")
    where = new
    client.set("by a client", "new")
    await coroutines.set("by a coroutine", "new")
    await coroutines.aclose()
    with new.client() as admin:
        assert admin.mget("by a client", "by a coroutine") == [b"new", b"new"]
