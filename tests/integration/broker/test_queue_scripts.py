"""Tests of single scripts of the queues, on a real Redis."""

import pytest
import redis

from financehub_shared.broker import FinanceHubBroker
from financehub_shared.core.settings import Settings
from financehub_shared.redis import queue_keys as keys
from financehub_shared.worker.build import build_broker


@pytest.fixture
def broker(redis_url: str, redis_client: "redis.Redis") -> FinanceHubBroker:
    """A broker on an empty Redis."""
    return build_broker(Settings(redis_url=redis_url))


def test_enqueue_that_is_repeated_appends_one_entry(broker: FinanceHubBroker, redis_client: "redis.Redis"):
    """A process repeats an enqueue whose reply was lost."""
    for body in (b"first", b"second"):
        broker.do_enqueue("q", "id", body)
    assert redis_client.lrange(keys.ready("q"), 0, -1) == [b"id"]
    assert redis_client.hgetall(keys.messages("q")) == {b"id": b"second"}
    assert broker.do_fetch("q", 10) == [b"id", b"second", b"0"]


def test_enqueue_of_a_message_in_flight_delivers_it_once(broker: FinanceHubBroker, redis_client: "redis.Redis"):
    """The first enqueue succeeded, and a worker has taken the message before the second one."""
    broker.do_enqueue("q", "id", b"body")
    assert broker.do_fetch("q", 1) == [b"id", b"body", b"0"]
    broker.do_enqueue("q", "id", b"body")
    assert broker.do_fetch("q", 1) == []
    broker.do_ack("q", "id")
    assert redis_client.keys("dramatiq:q*") == []


def test_fetch_delivers_an_entry_that_another_program_repeats_once(
    broker: FinanceHubBroker, redis_client: "redis.Redis"
):
    """A second entry with the same id is dropped, and the message still belongs to the worker that runs it."""
    redis_client.hset(keys.messages("q"), mapping={"id": b"body", "other": b"else"})
    redis_client.rpush(keys.ready("q"), "id", "id", "other")
    assert broker.do_fetch("q", 10) == [b"id", b"body", b"0", b"other", b"else", b"0"]
    assert redis_client.smembers(keys.acks(broker.broker_id, "q")) == {b"id", b"other"}
    assert redis_client.llen(keys.ready("q")) == 0
