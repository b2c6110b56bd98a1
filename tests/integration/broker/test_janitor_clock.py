"""Tests of the janitor whose process has just started, or whose Redis has had its clock set."""

import time

import pytest
import redis

from financehub_shared.broker.janitor import Janitor
from financehub_shared.core.clock import ManualClock
from financehub_shared.redis import queue_keys as keys


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def janitor(clock: ManualClock, redis_client: redis.Redis) -> Janitor:
    """A janitor that reclaims nothing for 4 s of the test's clock."""
    return Janitor(
        redis_client,
        heartbeat_timeout_seconds=60,
        dead_letter_retention_days=7,
        recovery_seconds=4,
        monotonic=clock.monotonic,
    )


def hold(client: redis.Redis, heartbeat: float) -> None:
    """Let a worker hold a message.

    Args:
        client: Client of the queue Redis.
        heartbeat: Time of the last heartbeat of the worker, in Unix seconds.
    """
    client.hset(keys.messages("q"), "1", "{}")
    client.sadd(keys.acks("worker", "q"), "1")
    client.zadd(keys.HEARTBEATS, {"worker": heartbeat * 1000})


def test_janitor_that_starts_after_an_outage_waits_for_heartbeats(
    janitor: Janitor, clock: ManualClock, redis_client: redis.Redis
):
    """The first round of a process cannot know whether heartbeats are old because Redis was away."""
    hold(redis_client, time.time() - 3_600)

    assert janitor.run() == {"q": 0}
    assert redis_client.zcard(keys.HEARTBEATS) == 1
    clock.advance(3)
    assert janitor.run() == {"q": 0}
    clock.advance(1)

    assert janitor.run() == {"q": 1}
    assert redis_client.zcard(keys.HEARTBEATS) == 0


@pytest.mark.parametrize("step", [10.0, -10.0], ids=["forward", "back"])
def test_janitor_after_the_clock_of_redis_was_set_waits_for_heartbeats(
    step: float, janitor: Janitor, clock: ManualClock, redis_client: redis.Redis
):
    """Heartbeats from before the step prove nothing. The test steps the clock of the janitor the other way instead."""
    hold(redis_client, time.time())
    janitor.run()
    clock.advance(4)
    assert janitor.run() == {"q": 0}
    redis_client.zadd(keys.HEARTBEATS, {"worker": (time.time() - 3_600) * 1000})

    clock.advance(-step)
    assert janitor.run() == {"q": 0}
    assert redis_client.zcard(keys.HEARTBEATS) == 1
    clock.advance(3)
    assert janitor.run() == {"q": 0}
    clock.advance(1)

    assert janitor.run() == {"q": 1}


@pytest.mark.parametrize(("ahead", "reclaimed"), [(3_600, 1), (60, 1), (2, 0)])
def test_worker_whose_heartbeat_lies_in_the_future_is_dead(
    ahead: float, reclaimed: int, janitor: Janitor, clock: ManualClock, redis_client: redis.Redis
):
    """A worker that died before the clock of Redis was set back would otherwise keep its messages for that long.

    Every round and every report would also read its heartbeat for that long.
    """
    hold(redis_client, time.time() + ahead)
    janitor.run()
    assert redis_client.zcard(keys.HEARTBEATS) == 1
    clock.advance(4)

    assert janitor.run() == {"q": reclaimed}
    assert redis_client.zcard(keys.HEARTBEATS) == 1 - reclaimed
