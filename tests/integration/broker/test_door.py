"""Tests of what happens to messages at the door, on a real Redis with a worker in this process."""

import hashlib
import json
import re
import time
from collections.abc import Callable
from typing import Any

import dramatiq
import pytest
import redis

from financehub_shared.broker.dead_letter_queue import DeadLetterFilter, DeadLetterQueue
from financehub_shared.broker.door import MAX_READ_BYTES
from financehub_shared.broker.janitor import Janitor
from financehub_shared.broker.queues import queue_stats
from financehub_shared.broker.redis_broker import FinanceHubBroker
from financehub_shared.core.errors import InvalidArgumentsError
from financehub_shared.core.settings import Settings
from financehub_shared.redis import queue_keys as keys
from financehub_shared.redis.client import connect
from financehub_shared.redis.key_types import ASIDE
from financehub_shared.worker.actors import enqueue
from financehub_shared.worker.build import build_broker
from support.hostile_messages import message
from support.redis_server import PATIENT_SECONDS
from support.waiting import eventually

Serve = Callable[..., Any]


@pytest.fixture
def broker(redis_url: str) -> FinanceHubBroker:
    """A broker on an empty Redis."""
    return build_broker(
        Settings(redis_url=redis_url, max_message_bytes=8_000),
        tier="high",
        client=connect(redis_url, retries=0, timeout=PATIENT_SECONDS),
    )


def put(client: "redis.Redis", id: bytes | str, body: bytes, queue: str = "q") -> None:
    """Append an entry to a queue as another program does."""
    client.hset(keys.messages(queue), id, body)
    client.rpush(keys.ready(queue), id)


def actor(broker: FinanceHubBroker) -> list[str]:
    """Declare the actor `task` on queue `q`, and return the list of the tags that it receives."""
    runs: list[str] = []
    dramatiq.actor(runs.append, actor_name="task", queue_name="q", broker=broker)
    return runs


def test_message_that_is_not_due_blocks_no_other(broker: FinanceHubBroker, redis_client: "redis.Redis", serving: Serve):
    """A worker would hold it in the room of a message that is due, so it moves to the delay queue."""
    runs = actor(broker)
    later = round(time.time() * 1000) + 3_600_000
    for number in range(4):
        body = message("task", args='["later"]', queue_name='"q"', id=f"l{number}", options=json.dumps({"eta": later}))
        put(redis_client, f"later-{number}", body)
    put(redis_client, "past", message("task", args='["past"]', options='{"eta": 5}'))
    put(redis_client, "now", message("task", args='["now"]', id="n"))
    with serving(broker, threads=1):
        eventually(lambda: sorted(runs) == ["now", "past"], within=PATIENT_SECONDS)
        eventually(lambda: redis_client.hlen(keys.messages("q")) == 0, within=PATIENT_SECONDS)
    bodies = [json.loads(body) for body in redis_client.hvals(keys.messages("q.DQ"))]
    assert len(bodies) == 4
    assert all(abs(body["options"]["eta"] - later) < 5_000 for body in bodies)


def test_message_in_the_delay_queue_without_a_time_runs(
    broker: FinanceHubBroker, redis_client: "redis.Redis", serving: Serve
):
    """It is due now, and runs from its own queue."""
    runs = actor(broker)
    put(redis_client, "x", message("task", args='["x"]'), queue="q.DQ")
    with serving(broker):
        eventually(lambda: runs == ["x"], within=PATIENT_SECONDS)


def test_message_that_is_too_large_is_refused_or_kept(
    broker: FinanceHubBroker, redis_client: "redis.Redis", serving: Serve
):
    """Our own sender gets an error, and another program's message becomes a dead letter with its whole content."""
    runs = actor(broker)
    with pytest.raises(InvalidArgumentsError, match=r"task: argument 'kwargs': .* 8,000"):
        enqueue(broker, "task", {"tag": "x" * 8_000}, queue="q")
    assert redis_client.keys("*") == []
    body = message("task", args=json.dumps(["x" * 9_000]))
    put(redis_client, "large", body)
    put(redis_client, "small", message("task", args='["small"]'))
    with serving(broker):
        eventually(lambda: runs == ["small"], within=PATIENT_SECONDS)
        (letter,) = eventually(lambda: DeadLetterQueue(redis_client).find(), within=PATIENT_SECONDS)
    assert (letter.reason, letter.task, letter.raw) == ("too-large", "task", body.decode())


@pytest.mark.parametrize("body", [b"x" * 5_000_000, message("task", args=json.dumps(["x" * 5_000_000]))])
def test_entry_that_is_too_large_to_read_is_kept_in_redis(
    body: bytes, broker: FinanceHubBroker, redis_client: "redis.Redis", serving: Serve
):
    """The worker reads only its beginning. The dead letter names the key that has the whole entry."""
    runs = actor(broker)
    put(redis_client, "huge", body)
    put(redis_client, "small", message("task", args='["small"]'))
    assert max(map(len, broker.do_fetch("q", 1)[1::3])) == broker.max_entry_bytes + 1
    broker.requeue_unfinished("q", everything=True)
    with serving(broker):
        eventually(lambda: runs == ["small"], within=PATIENT_SECONDS)
        (letter,) = eventually(lambda: DeadLetterQueue(redis_client).find(), within=PATIENT_SECONDS)
    assert (letter.reason, len(letter.raw)) == ("too-large", 1_000)
    key = re.search(r"more than 1,000,000 bytes, which are kept in (\S+)", letter.error)
    assert key is not None
    assert redis_client.get(key[1]) == body
    assert redis_client.ttl(key[1]) > 6 * 86_400


def test_statistics_and_listings_read_the_beginning_of_a_huge_entry(redis_client: "redis.Redis"):
    """A queue that nobody serves may contain an entry of any size, and so may its dead letters."""
    body = b"x" * (MAX_READ_BYTES + 1_000)
    put(redis_client, "huge", body)
    redis_client.hset(keys.dead_messages("q"), "huge", body)
    redis_client.zadd(keys.dead("q"), {"huge": 1_700_000_000_000})
    (figures,) = queue_stats(redis_client, ["q"], heartbeat_timeout_seconds=60)
    assert (figures.ready, figures.dead, figures.oldest_age_seconds) == (1, 1, 0.0)
    (letter,) = DeadLetterQueue(redis_client).find()
    assert (letter.reason, len(letter.raw)) == ("undecodable", MAX_READ_BYTES)


def test_huge_ids_never_leave_redis(broker: FinanceHubBroker, redis_client: "redis.Redis", serving: Serve):
    """A message whose id has megabytes runs under a short one, and nothing that reads the queue receives the id."""
    runs = actor(broker)
    for number in range(3):
        put(redis_client, "huge" * 1_000_000 + str(number), message("task", args=f"[{number}]"))
    redis_client.hset(keys.messages("q"), "stranded" * 500_000, message("task", args='["stranded"]'))
    before = redis_client.info("stats")["total_net_output_bytes"]
    janitor = Janitor(redis_client, heartbeat_timeout_seconds=60, dead_letter_retention_days=7)
    for _ in range(2):
        janitor.run()
        assert queue_stats(redis_client, ["q"])[0].oldest_age_seconds > 0
    with serving(broker):
        eventually(lambda: set(runs) == {0, 1, 2, "stranded"}, within=PATIENT_SECONDS)
        eventually(lambda: redis_client.hlen(keys.messages("q")) == 0, within=PATIENT_SECONDS)
    assert redis_client.info("stats")["total_net_output_bytes"] - before < 1_000_000
    assert runs.count(0) == 1


def test_consumer_that_cannot_refuse_a_message_keeps_none(
    broker: FinanceHubBroker, redis_client: "redis.Redis", monkeypatch: pytest.MonkeyPatch, serving: Serve
):
    """If Redis fails while a message is refused, the ones that were fetched with it are delivered afterwards."""
    runs = actor(broker)
    put(redis_client, "bad", b"garbage")
    for tag in "abc":
        put(redis_client, tag, message("task", args=json.dumps([tag]), id=tag))
    nack, failures = broker.do_nack, []

    def fail_once(*args: Any) -> None:
        if not failures:
            failures.append(args)
            raise dramatiq.errors.ConnectionClosed("the connection is lost")
        nack(*args)

    monkeypatch.setattr(broker, "do_nack", fail_once)
    with serving(broker, threads=4):
        eventually(lambda: sorted(runs) == ["a", "b", "c"], within=PATIENT_SECONDS)
        eventually(lambda: redis_client.hlen(keys.messages("q")) == 0, within=PATIENT_SECONDS)
    assert [letter.id for letter in DeadLetterQueue(redis_client).find()] == ["bad"]


def test_janitor_requeues_messages_whose_ids_were_lost(broker: FinanceHubBroker, redis_client: "redis.Redis"):
    """Messages that are neither in the queue nor with a worker return. The one that a worker holds does not."""
    for tag in ("held", "a", "b"):
        put(redis_client, tag, message("task", id=tag))
    assert broker.do_fetch("q", 1)[0] == b"held"
    redis_client.set(keys.ready("q"), "another program's value")
    redis_client.delete(keys.ready("q"))
    janitor = Janitor(redis_client, heartbeat_timeout_seconds=60, dead_letter_retention_days=7)
    janitor.run()
    assert redis_client.llen(keys.ready("q")) == 0
    janitor.run()
    restored = sorted(hashlib.sha1(id, usedforsecurity=False).hexdigest().encode() for id in (b"a", b"b"))
    assert sorted(redis_client.lrange(keys.ready("q"), 0, -1)) == restored
    janitor.run()
    assert redis_client.llen(keys.ready("q")) == 2


@pytest.mark.parametrize("losses", [b"abc", b"", b"9" * 30, b"-5", b"nan", b"1.5"])
def test_message_with_a_damaged_number_of_losses_is_reclaimed(
    losses: bytes, broker: FinanceHubBroker, redis_client: "redis.Redis"
):
    """The count starts again, and the message is delivered."""
    put(redis_client, "x", message("task"))
    redis_client.hset(keys.losses("q"), "x", losses)
    broker.do_fetch("q", 1)
    redis_client.zadd(keys.HEARTBEATS, {broker.broker_id: 5})
    Janitor(redis_client, heartbeat_timeout_seconds=60, dead_letter_retention_days=7, recovery_seconds=0).run()
    id, _, count = broker.do_fetch("q", 1)
    assert id == b"x"
    assert int(float(count)) in {1, 2}


def test_damaged_dead_letters_are_listed_and_purged(redis_client: "redis.Redis"):
    """Ids and contents may be any bytes. A letter with a message is requeued, and the others say why not."""
    contents = {b"\xff\x00": b"\xfe{", b"a b:c": None, b"": b"[]", b"\\xff": b'"x"', b"ok": message("task", id="m")}
    for id, body in contents.items():
        redis_client.zadd(keys.dead("q"), {id: float("inf") if id == b"\xff\x00" else 1e12})
        if body is not None:
            redis_client.hset(keys.dead_messages("q"), id, body)
    letters = DeadLetterQueue(redis_client)
    assert sorted(letter.id for letter in letters.find()) == ["", "\\xff", "\\xff\x00", "a b:c", "ok"]
    assert all(letter.error for letter in letters.find() if letter.id != "ok")
    refused: dict[str, str] = {}
    assert [letter.id for letter in letters.requeue(DeadLetterFilter(), refused)] == ["ok"]
    assert len(refused) == 4
    shown = letters.show("\\xff\x00")
    assert shown is not None
    assert shown.raw == "\\xfe{"
    assert len(letters.purge(DeadLetterFilter(ids=["\\xff\x00"]))) == 1
    assert len(letters.purge(DeadLetterFilter())) == 3
    assert redis_client.zcard(keys.dead("q")) == redis_client.hlen(keys.dead_messages("q")) == 0


def test_message_is_not_lost_if_the_dead_letters_have_another_type(
    broker: FinanceHubBroker, redis_client: "redis.Redis"
):
    """The nack sets the key aside before it takes the message out of its queue."""
    put(redis_client, "x", message("task"))
    broker.do_fetch("q", 1)
    redis_client.set(keys.dead("q"), "another program's value")
    redis_client.rpush(keys.dead_messages("q"), "a")
    broker.do_nack("q", "x", message("task"))
    assert [letter.id for letter in DeadLetterQueue(redis_client).find()] == ["x"]
    assert redis_client.get(ASIDE + keys.dead("q")) == b"another program's value"
