"""Tests of single scripts of the queues, on a real Redis."""

import itertools
import time
from collections.abc import Callable

import pytest
import redis
from dramatiq import Message
from structlog.testing import capture_logs

from financehub_shared.broker import consumer, queue_scripts
from financehub_shared.broker.queue_scripts import REPLY_BYTES
from financehub_shared.broker.redis_broker import FinanceHubBroker
from financehub_shared.core.settings import Settings
from financehub_shared.redis import queue_keys as keys
from financehub_shared.redis.client import connect
from financehub_shared.redis.key_types import ASIDE
from financehub_shared.worker.build import build_broker
from support.redis_server import PATIENT_SECONDS, RedisServer


@pytest.fixture
def broker(redis_url: str, redis_client: "redis.Redis") -> FinanceHubBroker:
    """A broker on an empty Redis."""
    return build_broker(Settings(redis_url=redis_url), client=connect(redis_url, retries=0, timeout=PATIENT_SECONDS))


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


def test_entry_that_is_too_large_is_kept_although_redis_is_full(redis_server: Callable[..., RedisServer]):
    """The consumer copies the entry before it refuses it, and would otherwise repeat this until Redis has memory."""
    server = redis_server()
    full = build_broker(Settings(redis_url=server.url), client=connect(server.url, retries=0, timeout=PATIENT_SECONDS))
    client = server.client()
    client.hset(keys.messages("q"), "id", b"body")
    client.config_set("maxmemory", "1")
    key = full.do_keep("q", "id")
    assert client.get(key) == b"body"
    assert client.ttl(key) > 0


def test_fetch_of_large_messages_returns_some_of_them(broker: FinanceHubBroker, redis_client: "redis.Redis"):
    """A delay queue prefetches thousands of messages. One reply with all of them could take all memory."""
    count, size = 30, 900_000
    for number in range(count):
        broker.do_enqueue("q", str(number), b"x" * size)
    fetched: list[bytes] = []
    rounds = 0
    while reply := broker.do_fetch("q", 1_000):
        assert sum(map(len, reply)) < REPLY_BYTES + broker.max_entry_bytes + 1_000
        fetched += reply[::3]
        rounds += 1
    assert fetched == [str(number).encode() for number in range(count)]
    assert 1 < rounds < count


def test_consumer_holds_a_limited_number_of_bytes(
    broker: FinanceHubBroker, redis_client: "redis.Redis", monkeypatch: pytest.MonkeyPatch
):
    """P8: Delayed messages are held in memory until they are due. Large ones wait in Redis, and none is lost."""
    assert consumer.HELD_BYTES == 32_000_000
    monkeypatch.setattr(consumer, "HELD_BYTES", 100_000)
    monkeypatch.setattr("financehub_shared.broker.queue_scripts.REPLY_BYTES", 20_000)
    message = Message("q.DQ", "task", ("x" * 10_000,), {}, {"eta": (time.time() + 60) * 1_000})
    for number in range(30):
        broker.do_enqueue("q.DQ", str(number), message.encode())
    with capture_logs() as logs:
        held = [each for each in itertools.islice(broker.consume("q.DQ", prefetch=1_000, timeout=1), 30) if each]
    assert 10 <= len(held) <= 12
    assert redis_client.llen(keys.ready("q.DQ")) == 30 - len(held)
    assert [entry["queue"] for entry in logs if entry["event"] == "prefetch_limited"] == ["q.DQ"]
    following = broker.consume("q.DQ", prefetch=1_000, timeout=1)  # gives back what the first one held
    assert redis_client.llen(keys.ready("q.DQ")) == 30
    for _ in range(40):
        if (delivery := next(following)) is not None:
            following.ack(delivery)
    assert redis_client.hlen(keys.messages("q.DQ")) == 0


@pytest.mark.parametrize("key", ["ready", "messages", "acks", "losses", "heartbeats"])
@pytest.mark.parametrize("moment", ["before the enqueue", "before the fetch"])
def test_no_message_is_lost_if_a_key_has_another_type(
    broker: FinanceHubBroker, redis_client: "redis.Redis", key: str, moment: str
):
    """The script takes back what it has written, and the broker sets the key aside and runs the script again."""
    names = {
        "ready": keys.ready("q"),
        "messages": keys.messages("q"),
        "acks": keys.acks(broker.broker_id, "q"),
        "losses": keys.losses("q"),
        "heartbeats": keys.HEARTBEATS,
    }
    if moment == "before the enqueue":
        redis_client.set(names[key], b"another program's value")
        broker.do_enqueue("q", "id", b"body")
    else:
        broker.do_enqueue("q", "id", b"body")
        entries = redis_client.lrange(keys.ready("q"), 0, -1), redis_client.hgetall(keys.messages("q"))
        redis_client.set(names[key], b"another program's value")
        assert broker.do_fetch("q", 0) == []  # a heartbeat alone takes no message
        if key in {"ready", "messages"}:
            assert broker.do_fetch("q", 10) == []  # the other program has replaced a part of the message
            assert redis_client.hgetall(keys.messages("q")) == (entries[1] if key == "ready" else {})
            return
    assert broker.do_fetch("q", 10) == [b"id", b"body", b"0"]
    assert redis_client.get(ASIDE + names[key]) == b"another program's value"
    assert redis_client.smembers(names["acks"]) == {b"id"}


def test_enqueue_that_fails_leaves_no_message(broker: FinanceHubBroker, redis_client: "redis.Redis"):
    """A message without an entry in its queue would wait until the janitor finds it."""
    redis_client.set(keys.ready("q"), b"another program's value")
    script = redis_client.register_script(queue_scripts.ENQUEUE)
    with pytest.raises(redis.ResponseError, match="WRONGTYPE"):
        script(keys=[keys.ready("q"), keys.messages("q")], args=["id", b"body"])
    assert redis_client.exists(keys.messages("q")) == 0


def test_fetch_that_fails_leaves_the_message_in_its_queue(broker: FinanceHubBroker, redis_client: "redis.Redis"):
    """The id returns to the place that it had."""
    redis_client.rpush(keys.ready("q"), "id", "other")
    redis_client.set(keys.messages("q"), b"another program's value")
    script = redis_client.register_script(queue_scripts.FETCH)
    names = [keys.ready("q"), keys.messages("q"), "acks", keys.losses("q"), keys.HEARTBEATS]
    with pytest.raises(redis.ResponseError, match="WRONGTYPE"):
        script(keys=names, args=["worker", 10, 1_000, 1_000])
    assert redis_client.lrange(keys.ready("q"), 0, -1) == [b"id", b"other"]


def test_messages_that_are_due_much_later_block_no_retry(broker: FinanceHubBroker, redis_client: "redis.Redis"):
    """A consumer that holds half of what it may gives them back, until it finds those that are due soon."""
    now = time.time() * 1_000
    for number in range(150):
        broker.do_enqueue("q.DQ", f"late-{number}", Message("q.DQ", "task", (), {}, {"eta": now + 3_600_000}).encode())
    for number in range(5):
        broker.do_enqueue("q.DQ", f"soon-{number}", Message("q.DQ", "task", (), {}, {"eta": now + 60_000}).encode())
    deliveries = broker.consume("q.DQ", prefetch=20, timeout=1)
    held = [each.options["redis_message_id"] for each in itertools.islice(deliveries, 400) if each]
    assert {id for id in held if id.startswith("soon")} == {f"soon-{number}" for number in range(5)}
    assert len(held) == len(set(held)) <= 20
    assert redis_client.hlen(keys.messages("q.DQ")) == 155
    assert redis_client.llen(keys.ready("q.DQ")) + redis_client.scard(keys.acks(broker.broker_id, "q.DQ")) == 155
