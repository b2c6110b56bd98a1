"""Tests of Redis and message faults that our broker survives and stock dramatiq does not."""

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

from financehub_shared.broker.dead_letter_queue import DeadLetterQueue
from financehub_shared.core.errors import StoreUnavailableError
from financehub_shared.core.settings import Settings
from financehub_shared.redis import queue_keys as keys
from financehub_shared.redis.client import connect
from financehub_shared.worker.actors import declare, enqueue
from financehub_shared.worker.build import build_broker
from support.redis_server import RedisServer
from support.workers import eventually_despite_outage, unsettled

pytestmark = [pytest.mark.faults, pytest.mark.each_server]

KINDS = ("stock", "fixed")
StartRedis = Callable[..., RedisServer]
Serve = Callable[..., object]


def make(kind: str, url: str, **settings: object) -> dramatiq.Broker:
    """Return a broker of the given kind that retries quickly."""
    if kind == "stock":
        return RedisBroker(client=redis.Redis.from_url(url, socket_timeout=2))
    settings = Settings(redis_url=url, retry_min_seconds=0.1, dramatiq_retry_backoff=False, **settings)
    return build_broker(settings, tier="high", client=connect(url, retries=0, timeout=2))


def task(broker: dramatiq.Broker, fn: Callable[..., object]) -> "dramatiq.Actor":
    """Declare an actor on queue `q`."""
    return dramatiq.actor(fn, broker=broker, queue_name="q", min_backoff=100, max_backoff=100)


def noticing(call: Callable[..., Any], refused: threading.Event) -> Callable[..., Any]:
    """Return a function that sets an event if Redis refuses the call."""

    def noticed(*args: Any, **options: Any) -> Any:
        try:
            return call(*args, **options)
        except (ConnectionClosed, redis.RedisError):
            refused.set()
            raise

    return noticed


@pytest.mark.parametrize(("kind", "kept"), [("stock", False), ("fixed", True)])
def test_retry_that_redis_refuses_is_not_lost(kind: str, kept: bool, redis_server: StartRedis, serving: Serve):
    """A task that fails while Redis is unavailable runs again. Stock dramatiq logs the failed retry and acknowledges
    the message.
    """
    server, unavailable, runs = redis_server(), threading.Event(), []

    def fails_once() -> None:
        runs.append(1)
        unavailable.wait(60)
        if len(runs) == 1:
            raise ValueError("the upstream fails too")

    broker = make(kind, server.url)
    refused = threading.Event()
    # Ours enqueues the retry in the step that acknowledges the message.
    broker.do_enqueue, broker.do_ack = noticing(broker.do_enqueue, refused), noticing(broker.do_ack, refused)
    with serving(broker):
        task(broker, fails_once).send()
        eventually_despite_outage(lambda: runs)
        server.kill()
        unavailable.set()
        assert refused.wait(40)
        server.start()
        client = server.client()
        eventually_despite_outage(lambda: unsettled(client, "q") == 0)
    assert len(runs) == (2 if kept else 1)
    assert client.zcard(keys.dead("q")) == 0


@pytest.mark.parametrize(("kind", "found"), [("stock", False), ("fixed", True)])
def test_fetch_over_a_cut_connection_is_requeued(kind: str, found: bool, redis_url: str, serving: Serve):
    """A message that Redis sent over a cut connection runs. In stock dramatiq it stays assigned to the live worker
    forever.
    """
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
        eventually_despite_outage(lambda: cut)
        if found:
            eventually_despite_outage(lambda: runs)
        else:
            time.sleep(1)
    assert len(runs) == int(found)


@pytest.mark.parametrize(("kind", "drained"), [("stock", False), ("fixed", True)])
def test_workers_with_a_full_redis_drain_it(kind: str, drained: bool, redis_server: StartRedis, serving: Serve):
    """When Redis is out of memory, workers continue and free memory. Stock dramatiq fetches nothing and drops the
    ack.
    """
    server, full, runs = redis_server(), threading.Event(), []

    def waits() -> None:
        runs.append(1)
        full.wait(60)

    broker = make(kind, server.url)
    refused = threading.Event()
    broker.do_ack = noticing(broker.do_ack, refused)
    actor, client = task(broker, waits), server.client()
    for _ in range(6):
        actor.send()
    with serving(broker, threads=1):
        eventually_despite_outage(lambda: runs)
        client.config_set("maxmemory", "1")
        full.set()
        if drained:
            eventually_despite_outage(lambda: client.hlen(keys.messages("q")) == 0)
        else:
            assert refused.wait(40)
        client.config_set("maxmemory", "0")
        if not drained:
            time.sleep(0.5)
            assert client.hlen(keys.messages("q")) > 0  # the messages ran and were not acknowledged
    assert client.hlen(keys.messages("q")) == 0 or not drained


@pytest.mark.parametrize("fault", ["full", "dead", "hung", "replica"])
def test_enqueue_that_redis_refuses_raises_a_clear_error(fault: str, redis_server: StartRedis):
    """The caller gets an error that explains the failed enqueue, and can repeat it with the same broker."""
    server = redis_server()
    broker, client = make("fixed", server.url), server.client()
    enqueue(broker, "health_check_task")
    break_redis, repair = {
        "full": (lambda: client.config_set("maxmemory", "1"), lambda: client.config_set("maxmemory", "0")),
        "dead": (server.kill, server.start),
        "hung": (server.hang, server.resume),
        "replica": (lambda: client.replicaof("127.0.0.1", "1"), lambda: client.replicaof("NO", "ONE")),
    }[fault]
    break_redis()
    with pytest.raises(StoreUnavailableError, match=r"health_check_task was not enqueued: queue low: Redis: "):
        enqueue(broker, "health_check_task")
    repair()
    before = client.llen(keys.ready("low"))
    assert before <= 2
    enqueue(broker, "health_check_task")
    assert client.llen(keys.ready("low")) == before + 1


def test_messages_survive_repeated_kills_of_redis(redis_server: StartRedis, serving: Serve):
    """Every message that Redis accepted runs at least once."""
    server, runs = redis_server(), set()
    broker = make("fixed", server.url)

    def note(number: int) -> None:
        runs.add(number)
        time.sleep(0.002)
        if number % 5 == 0 and (number, "failed") not in runs:
            runs.add((number, "failed"))
            runs.discard(number)
            raise ValueError("once")

    actor, accepted, numbers = task(broker, note), [], itertools.count()

    def send_until_accepted(total: int) -> None:
        deadline = time.monotonic() + 90
        while len(accepted) < total:
            assert time.monotonic() < deadline, f"Redis accepted only {len(accepted)} of {total} messages in time"
            number = next(numbers)
            try:
                actor.send(number)
                accepted.append(number)
            except ConnectionClosed:
                time.sleep(0.02)

    with serving(broker):
        send_until_accepted(100)
        for total in (200, 350):  # Some are sent while Redis is unavailable, and the others afterwards.
            server.kill()
            back = threading.Timer(0.3, server.start)
            back.start()
            send_until_accepted(total)
            back.join()
        eventually_despite_outage(lambda: runs.issuperset(accepted))


@pytest.mark.parametrize("kind", KINDS)
def test_garbage_in_a_queue_is_dead_lettered(kind: str, redis_url: str, redis_client: "redis.Redis", serving: Serve):
    """Bytes that are not a message become dead letters. Stock dramatiq strands the messages that it fetched along with
    them.
    """
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
        eventually_despite_outage(lambda: runs)
    letters = {letter.id: letter for letter in DeadLetterQueue(redis_client).find()}
    assert set(letters) == set(garbage)
    assert {letter.reason for letter in letters.values()} == {"undecodable"}
    assert letters["g1"].raw == "\\xff\\xfe{"
    assert "options" in letters["g4"].error
    assert redis_client.hlen(keys.messages("q")) == 0


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize("kind", KINDS)
def test_message_with_a_wrong_queue_name_runs(kind: str, redis_url: str, redis_client: "redis.Redis", serving: Serve):
    """A message that names another queue, or has no Redis id, runs in the queue that contains it. It kills a thread of
    stock dramatiq.
    """
    broker, runs = make(kind, redis_url), []
    actor = task(broker, lambda: runs.append(1))
    fields = json.loads(actor.message().encode()) | {"queue_name": "elsewhere"}
    redis_client.hset(keys.messages("q"), "x", json.dumps(fields))
    redis_client.rpush(keys.ready("q"), "x")
    with serving(broker, threads=1) as worker:
        if kind == "stock":
            eventually_despite_outage(lambda: not worker.workers[0].is_alive())
            return
        eventually_despite_outage(lambda: runs and redis_client.hlen(keys.messages("q")) == 0)
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
def test_message_with_invalid_arguments_is_dead_lettered_without_a_retry(
    kwargs: dict[str, object],
    args: tuple[object, ...],
    field: str,
    redis_url: str,
    redis_client: "redis.Redis",
    serving: Serve,
):
    """An invalid call never reaches the task and is not retried, and its dead letter names the field."""
    broker, runs = make("fixed", redis_url), []
    declare(broker, "fetch_crypto_prices_task", lambda **kwargs: runs.append(kwargs))
    make("stock", redis_url).enqueue(dramatiq.Message("high", "fetch_crypto_prices_task", args, kwargs, {}))
    with serving(broker):
        [letter] = eventually_despite_outage(lambda: DeadLetterQueue(redis_client).find())
    assert (letter.reason, letter.exception, letter.attempts) == ("invalid-arguments", "InvalidArgumentsError", 1)
    assert f"argument '{field}'" in letter.error
    assert runs == []


def test_message_of_an_unknown_task_is_dead_lettered(redis_url: str, redis_client: "redis.Redis", serving: Serve):
    """A task without an actor is dead-lettered with that reason."""
    broker = make("fixed", redis_url)
    task(broker, lambda: None)
    broker.enqueue(dramatiq.Message("q", "no_such_task", (), {}, {}))
    with serving(broker):
        [letter] = eventually_despite_outage(lambda: DeadLetterQueue(redis_client).find())
    assert (letter.task, letter.reason) == ("no_such_task", "unknown-task")
