"""Faults of Redis and of messages: what stock dramatiq loses or stumbles over, and we do not."""

import itertools
import json
import threading
import time
from collections.abc import Callable
from typing import Any

import dramatiq
import pytest
import redis
from dramatiq.brokers.redis import RedisBroker
from dramatiq.errors import ConnectionClosed

from financehub_shared.broker import DeadLetterQueue
from financehub_shared.core.errors import StoreUnavailableError
from financehub_shared.core.settings import Settings
from financehub_shared.redis import queue_keys as keys
from financehub_shared.redis.client import connect
from financehub_shared.worker.actors import declare, enqueue
from financehub_shared.worker.build import build_broker
from support.redis_server import RedisServer
from support.workers import eventually, unsettled

KINDS = ("stock", "mended")
StartRedis = Callable[..., RedisServer]
Serve = Callable[..., object]


def make(kind: str, url: str, **settings: object) -> dramatiq.Broker:
    """A broker of a kind, quick to retry."""
    if kind == "stock":
        return RedisBroker(client=redis.Redis.from_url(url, socket_timeout=2))
    mended = Settings(redis_url=url, retry_min_seconds=0.1, dramatiq_retry_backoff=False, **settings)
    return build_broker(mended, tier="high", client=connect(url, retries=0, timeout=2))


def task(broker: dramatiq.Broker, fn: Callable[..., object]) -> "dramatiq.Actor":
    """An actor on queue `q`."""
    return dramatiq.actor(fn, broker=broker, queue_name="q", min_backoff=100, max_backoff=100)


@pytest.mark.parametrize(("kind", "kept"), [("stock", False), ("mended", True)])
def test_a_retry_that_redis_does_not_take_is_not_lost(kind: str, kept: bool, redis_server: StartRedis, serving: Serve):
    """A task that fails while Redis is away runs again; stock logs the failed retry and acknowledges the message."""
    server, away, runs = redis_server(), threading.Event(), []

    def fails_once() -> None:
        runs.append(1)
        away.wait(10)
        if len(runs) == 1:
            raise ValueError("upstream is away too")

    broker = make(kind, server.url)
    enqueue_once, refused = broker.enqueue, threading.Event()

    def noticed(*args: Any, **kwargs: Any) -> "dramatiq.Message":
        try:
            return enqueue_once(*args, **kwargs)
        except (ConnectionClosed, redis.ConnectionError):
            refused.set()
            raise

    broker.enqueue = noticed
    with serving(broker):
        task(broker, fails_once).send()
        eventually(lambda: runs)
        server.kill()
        away.set()
        assert refused.wait(10)
        server.start()
        client = server.client()
        eventually(lambda: unsettled(client, "q") == 0)
    assert len(runs) == (2 if kept else 1)
    assert client.zcard(keys.dead("q")) == 0


@pytest.mark.parametrize(("kind", "found"), [("stock", False), ("mended", True)])
def test_a_fetch_answered_into_a_cut_connection_is_found_again(kind: str, found: bool, redis_url: str, serving: Serve):
    """What Redis handed out and nobody received runs; in stock it stays with the live worker for good."""
    broker, runs = make(kind, redis_url), []
    actor = task(broker, lambda: runs.append(1))
    fetch, cut = broker.do_fetch, []

    def cut_once(queue: str, *args: object) -> list[bytes]:
        answer = fetch(queue, *args)
        if answer and not cut:
            cut.append(1)
            raise ConnectionClosed("cut")
        return answer

    broker.do_fetch = cut_once
    actor.send()
    with serving(broker):
        eventually(lambda: cut)
        if found:
            eventually(lambda: runs)
        else:
            time.sleep(1)
    assert len(runs) == int(found)


@pytest.mark.parametrize(("kind", "drained"), [("stock", False), ("mended", True)])
def test_a_full_redis_is_drained(kind: str, drained: bool, redis_server: StartRedis, serving: Serve):
    """Out of memory, workers go on: what they settle frees memory. Stock fetches nothing and drops the ack."""
    server, full, runs = redis_server(), threading.Event(), []

    def waits() -> None:
        runs.append(1)
        full.wait(10)

    broker = make(kind, server.url)
    actor, client = task(broker, waits), server.client()
    for _ in range(6):
        actor.send()
    with serving(broker, threads=1):
        eventually(lambda: runs)
        client.config_set("maxmemory", "1")
        full.set()
        if drained:
            eventually(lambda: client.hlen(keys.messages("q")) == 0)
        else:
            time.sleep(1)
        client.config_set("maxmemory", "0")
        if not drained:
            time.sleep(0.5)
            assert client.hlen(keys.messages("q")) > 0  # run, and never acknowledged
    assert client.hlen(keys.messages("q")) == 0 or not drained


@pytest.mark.parametrize("fault", ["full", "dead", "hung", "replica"])
def test_an_enqueue_that_redis_refuses_is_a_clear_error(fault: str, redis_server: StartRedis):
    """Who enqueues is told that it failed and why, in our taxonomy, and can do it again with the same broker."""
    server = redis_server()
    broker, client = make("mended", server.url), server.client()
    enqueue(broker, "health_check_task")
    strike, mend = {
        "full": (lambda: client.config_set("maxmemory", "1"), lambda: client.config_set("maxmemory", "0")),
        "dead": (server.kill, server.start),
        "hung": (server.hang, server.resume),
        "replica": (lambda: client.replicaof("127.0.0.1", "1"), lambda: client.replicaof("NO", "ONE")),
    }[fault]
    strike()
    with pytest.raises(StoreUnavailableError, match=r"health_check_task was not enqueued: queue low: Redis: "):
        enqueue(broker, "health_check_task")
    mend()
    before = client.llen(keys.ready("low"))
    assert before <= 2
    enqueue(broker, "health_check_task")
    assert client.llen(keys.ready("low")) == before + 1


def test_no_message_is_lost_while_redis_is_killed_again_and_again(redis_server: StartRedis, serving: Serve):
    """Every message that Redis took is run at least once, whatever happens between."""
    server, runs = redis_server(), set()
    broker = make("mended", server.url)

    def note(number: int) -> None:
        runs.add(number)
        time.sleep(0.002)
        if number % 5 == 0 and (number, "failed") not in runs:
            runs.add((number, "failed"))
            runs.discard(number)
            raise ValueError("once")

    actor, taken, numbers = task(broker, note), [], itertools.count()

    def send_until_taken(total: int) -> None:
        limit = time.monotonic() + 30
        while len(taken) < total:
            assert time.monotonic() < limit, f"Redis took {len(taken)} of {total} messages in time"
            number = next(numbers)
            try:
                actor.send(number)
                taken.append(number)
            except ConnectionClosed:
                time.sleep(0.02)

    with serving(broker):
        send_until_taken(100)
        for total in (200, 350):  # sent in part while Redis is away, and the rest afterwards
            server.kill()
            back = threading.Timer(0.3, server.start)
            back.start()
            send_until_taken(total)
            back.join()
        eventually(lambda: runs.issuperset(taken))


@pytest.mark.parametrize("kind", KINDS)
def test_garbage_in_a_queue_is_dead_lettered_and_stops_nobody(
    kind: str, redis_url: str, redis_client: "redis.Redis", serving: Serve
):
    """What is no message is kept among the dead letters; stock strands what it fetched along with it."""
    broker, runs = make(kind, redis_url), []
    actor = task(broker, lambda: runs.append(1))
    garbage = {"g1": b"\xff\xfe{", "g2": b'{"queue_name": "q"}', "g3": b"[]"}
    garbage["g4"] = actor.message().copy().encode().replace(b'"options":{}', b'"options":null')
    for redis_id, data in garbage.items():
        redis_client.hset(keys.messages("q"), redis_id, data)
        redis_client.rpush(keys.ready("q"), redis_id)
    actor.send()
    with serving(broker, threads=8):
        if kind == "stock":
            time.sleep(1)
            assert runs == []
            return
        eventually(lambda: runs)
    letters = {letter.id: letter for letter in DeadLetterQueue(redis_client).find()}
    assert set(letters) == set(garbage)
    assert {letter.reason for letter in letters.values()} == {"undecodable"}
    assert letters["g1"].raw == "\\xff\\xfe{"
    assert "options" in letters["g4"].error
    assert redis_client.hlen(keys.messages("q")) == 0


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize("kind", KINDS)
def test_a_message_in_the_wrong_queue_kills_no_thread(
    kind: str, redis_url: str, redis_client: "redis.Redis", serving: Serve
):
    """A message that names another queue, or no Redis id, is served where it lies; a stock thread dies of it."""
    broker, runs = make(kind, redis_url), []
    actor = task(broker, lambda: runs.append(1))
    fields = json.loads(actor.message().encode()) | {"queue_name": "elsewhere"}
    redis_client.hset(keys.messages("q"), "x", json.dumps(fields))
    redis_client.rpush(keys.ready("q"), "x")
    with serving(broker, threads=1) as worker:
        if kind == "stock":
            eventually(lambda: not worker.workers[0].is_alive())
            return
        eventually(lambda: runs and redis_client.hlen(keys.messages("q")) == 0)
        assert worker.workers[0].is_alive()


@pytest.mark.parametrize(
    ("kwargs", "args", "field"),
    [
        ({"symbols": "BTC-USD"}, (), "symbols"),
        ({"symbols": ["btc usd"]}, (), "symbols.0"),
        ({"symbol": ["BTC-USD"]}, (), "symbol"),
        ({}, (["BTC-USD"],), "args"),
    ],
)
def test_wrong_arguments_enqueued_raw_are_dead_lettered_at_once(
    kwargs: dict[str, object],
    args: tuple[object, ...],
    field: str,
    redis_url: str,
    redis_client: "redis.Redis",
    serving: Serve,
):
    """A bad call never reaches the task and is not retried; its dead letter names the field."""
    broker, runs = make("mended", redis_url), []
    declare(broker, "fetch_crypto_prices_task", lambda **kwargs: runs.append(kwargs))
    make("stock", redis_url).enqueue(dramatiq.Message("high", "fetch_crypto_prices_task", args, kwargs, {}))
    with serving(broker):
        [letter] = eventually(lambda: DeadLetterQueue(redis_client).find())
    assert (letter.reason, letter.exception, letter.attempts) == ("invalid-arguments", "InvalidArgumentsError", 1)
    assert f"argument '{field}'" in letter.error
    assert runs == []


def test_an_unknown_task_is_dead_lettered(redis_url: str, redis_client: "redis.Redis", serving: Serve):
    """A task that no code here has declared is given up with that reason."""
    broker = make("mended", redis_url)
    task(broker, lambda: None)
    broker.enqueue(dramatiq.Message("q", "no_such_task", (), {}, {}))
    with serving(broker):
        [letter] = eventually(lambda: DeadLetterQueue(redis_client).find())
    assert (letter.task, letter.reason) == ("no_such_task", "unknown-task")
