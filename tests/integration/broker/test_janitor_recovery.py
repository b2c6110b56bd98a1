"""Tests of the janitor after an outage, when the heartbeats of live workers are as old as the outage."""

from collections.abc import Callable

import pytest
import redis

from financehub_shared.broker.janitor import Janitor
from financehub_shared.core.clock import ManualClock
from financehub_shared.redis import queue_keys as keys
from support.redis_server import RedisServer

pytestmark = pytest.mark.faults


def test_janitor_after_an_outage_waits_for_heartbeats(redis_server: Callable[..., RedisServer]):
    """A worker that could not send heartbeats during an outage keeps its messages, unless it stays silent afterward."""
    client = redis_server().client()
    client.hset(keys.messages("q"), "1", "{}")
    client.sadd(keys.acks("worker", "q"), "1")
    client.zadd(keys.HEARTBEATS, {"worker": 1_000})
    clock = ManualClock()
    janitor = Janitor(
        client,
        heartbeat_timeout_seconds=60,
        dead_letter_retention_days=7,
        recovery_seconds=4,
        monotonic=clock.monotonic,
    )
    client.config_set("min-replicas-to-write", "1")
    with pytest.raises(redis.RedisError, match="Not enough good replicas"):
        janitor.run()
    client.config_set("min-replicas-to-write", "0")

    clock.advance(4)
    assert janitor.run() == {"q": 0}
    clock.advance(3)
    assert janitor.run() == {"q": 0}
    clock.advance(1)

    assert janitor.run() == {"q": 1}
