"""Tests of queue statistics and the janitor, on a real Redis."""

import time
from collections.abc import Callable
from unittest import mock

import dramatiq
import pytest
import redis

from financehub_shared.broker.janitor import Janitor
from financehub_shared.broker.queues import QueueStats, discover_queues, queue_stats
from financehub_shared.broker.redis_broker import FinanceHubBroker
from financehub_shared.core.settings import Settings
from financehub_shared.redis import queue_keys as keys
from financehub_shared.worker.actors import enqueue
from financehub_shared.worker.build import build_broker
from support.redis_server import RedisServer


@pytest.fixture
def broker(redis_url: str) -> FinanceHubBroker:
    """A broker that fetches as a worker does."""
    return build_broker(Settings(redis_url=redis_url))


def silence(client: "redis.Redis", broker: FinanceHubBroker, seconds: float) -> None:
    """Set a broker's last heartbeat to `seconds` ago."""
    client.zadd(keys.HEARTBEATS, {broker.broker_id: (time.time() - seconds) * 1000})


def test_queue_stats_count_every_message_in_one_state(broker: FinanceHubBroker, redis_client: "redis.Redis"):
    """Ready, in-flight, delayed, dead and orphaned messages are counted as such, and an empty queue has only zeros."""
    for _ in range(5):
        enqueue(broker, "noop", queue="q")
    enqueue(broker, "noop", queue="q", delay=60)
    fetched = broker.do_fetch("q", 2)
    broker.do_nack("q", fetched[0].decode(), fetched[1])
    [stats, empty] = queue_stats(redis_client, ["q", "empty"])
    assert stats == QueueStats("q", 3, 1, 1, 1, mock.ANY, 0)
    assert 0 <= stats.oldest_age_seconds < 30
    assert empty == QueueStats("empty", 0, 0, 0, 0, 0.0, 0)

    silence(redis_client, broker, 61)
    assert queue_stats(redis_client, ["q"])[0].orphaned == 1
    assert queue_stats(redis_client, ["q"], heartbeat_timeout_seconds=120)[0].orphaned == 0


def test_oldest_age_counts_from_readiness(broker: FinanceHubBroker, redis_client: "redis.Redis"):
    """The age of a delayed message counts from its ready time, not from its first enqueue."""
    ready_at = round((time.time() - 100) * 1000)
    broker.do_enqueue("q", "x", dramatiq.Message("q", "noop", (), {}, {"ready_at": ready_at}).encode())
    assert queue_stats(redis_client, ["q"])[0].oldest_age_seconds == pytest.approx(100, abs=30)


@pytest.mark.parametrize("data", [b"\x00", b'{"options": 3}', b""])
def test_queue_stats_with_garbage_at_the_head_report_age_zero(
    data: bytes, broker: FinanceHubBroker, redis_client: "redis.Redis"
):
    """Bytes that are not a message have no age."""
    broker.do_enqueue("q", "x", data)
    assert queue_stats(redis_client, ["q"])[0].oldest_age_seconds == 0


def test_queue_stats_cost_two_round_trips(broker: FinanceHubBroker, redis_client: "redis.Redis"):
    """The number of queues, messages and dead workers does not change the number of round trips."""
    for number in range(30):
        enqueue(broker, "noop", queue=f"q{number}")
        broker.broker_id = f"worker-{number}"
        broker.do_fetch(f"q{number}", 1)
        silence(redis_client, broker, 100)
    queues = sorted(discover_queues(redis_client))
    with mock.patch.object(
        redis_client.connection_pool, "get_connection", wraps=redis_client.connection_pool.get_connection
    ) as taken:
        stats = queue_stats(redis_client, queues)
    assert taken.call_count == 2
    assert sum(each.orphaned for each in stats) == 30


def test_discover_queues_finds_queues_in_every_state(broker: FinanceHubBroker, redis_client: "redis.Redis"):
    """A queue with waiting, delayed, in-flight or dead messages is found once, under its own name."""
    enqueue(broker, "noop", queue="waiting")
    enqueue(broker, "noop", queue="delayed.with.dots", delay=60)
    enqueue(broker, "noop", queue="fetched")
    broker.do_fetch("fetched", 1)
    enqueue(broker, "noop", queue="dead")
    redis_id, data, _ = broker.do_fetch("dead", 1)
    broker.do_nack("dead", redis_id.decode(), data)
    redis_client.set("financehub:quotes.msgs", "not ours")
    assert discover_queues(redis_client) == {"waiting", "delayed.with.dots", "fetched", "dead"}


def test_janitor_reclaims_only_from_silent_workers(broker: FinanceHubBroker, redis_client: "redis.Redis"):
    """Only messages of workers without a heartbeat are reclaimed, from queue and delay queue, and counted by queue."""
    for name in ("alive", "silent"):
        broker.broker_id = name
        enqueue(broker, "noop", queue="q")
        enqueue(broker, "noop", queue="q", delay=60)
        broker.do_fetch("q", 1)
        broker.do_fetch("q.DQ", 1)
    silence(redis_client, broker, 61)
    janitor = Janitor(redis_client, heartbeat_timeout_seconds=60, dead_letter_retention_days=7, recovery_seconds=0)
    assert janitor.run() == {"q": 2}
    assert janitor.run() == {"q": 0}
    assert redis_client.zrange(keys.HEARTBEATS, 0, -1) == [b"alive"]
    assert redis_client.llen(keys.ready("q")) == redis_client.llen(keys.ready("q.DQ")) == 1
    assert redis_client.hvals(keys.losses("q")) == [b"1"]
    assert not redis_client.exists(keys.losses("q.DQ"))  # a delayed message cannot kill a worker


def test_janitor_reclaims_from_a_worker_without_any_heartbeat(broker: FinanceHubBroker, redis_client: "redis.Redis"):
    """The messages of a worker that has no heartbeat at all are reclaimed."""
    enqueue(broker, "noop", queue="q")
    broker.do_fetch("q", 1)
    redis_client.delete(keys.HEARTBEATS)
    assert Janitor(
        redis_client, heartbeat_timeout_seconds=60, dead_letter_retention_days=7, recovery_seconds=0
    ).run() == {"q": 1}


def test_ack_of_a_reclaimed_message_has_no_effect(broker: FinanceHubBroker, redis_client: "redis.Redis"):
    """A worker that was only slow cannot settle a message that was reclaimed meanwhile."""
    enqueue(broker, "noop", queue="q")
    redis_id, data, _ = broker.do_fetch("q", 1)
    silence(redis_client, broker, 61)
    Janitor(redis_client, heartbeat_timeout_seconds=60, dead_letter_retention_days=7, recovery_seconds=0).run()
    broker.do_ack("q", redis_id.decode())
    broker.do_nack("q", redis_id.decode(), data)
    assert queue_stats(redis_client, ["q"])[0].ready == 1
    assert queue_stats(redis_client, ["q"])[0].dead == 0


def test_enqueue_sends_no_heartbeat(broker: FinanceHubBroker, redis_client: "redis.Redis"):
    """A process that only enqueues is not a worker, although stock dramatiq counts it as one."""
    enqueue(broker, "noop", queue="q")
    assert not redis_client.exists(keys.HEARTBEATS)


def test_worker_with_a_heartbeat_during_the_scan_keeps_its_messages(
    broker: FinanceHubBroker, redis_client: "redis.Redis", monkeypatch: pytest.MonkeyPatch
):
    """The janitor checks the heartbeat again in the script that reclaims."""
    enqueue(broker, "noop", queue="q")
    broker.do_fetch("q", 1)
    silence(redis_client, broker, 61)
    janitor = Janitor(redis_client, heartbeat_timeout_seconds=60, dead_letter_retention_days=7, recovery_seconds=0)
    scan = janitor._scan

    def scan_before_a_heartbeat() -> list[str]:
        names = scan()
        broker.do_fetch("q", 0)
        return names

    monkeypatch.setattr(janitor, "_scan", scan_before_a_heartbeat)
    assert janitor.run() == {"q": 0}
    assert redis_client.zcard(keys.HEARTBEATS) == 1
    assert queue_stats(redis_client, ["q"])[0].in_flight == 1


def test_new_consumer_requeues_only_messages_nobody_works_on(broker: FinanceHubBroker, redis_client: "redis.Redis"):
    """After a lost connection, only messages that no thread holds are requeued, and the delay queue starts empty."""
    for delay in (None, 60):
        for _ in range(2):
            enqueue(broker, "noop", queue="q", delay=delay)
    delivery = next(broker.consume("q", prefetch=1, timeout=50))
    assert next(broker.consume("q.DQ", prefetch=1, timeout=50)) is not None
    broker.do_fetch("q", 1)  # no consumer receives the reply
    again = broker.consume("q", prefetch=1, timeout=50)
    broker.consume("q.DQ", prefetch=1, timeout=50)
    assert redis_client.llen(keys.ready("q")) == 1
    assert redis_client.llen(keys.ready("q.DQ")) == 2
    assert next(again) is None  # no capacity: the first message is still held
    again.ack(delivery)
    assert next(again) is not None


def test_heartbeat_with_a_full_redis_is_accepted(redis_server: Callable[..., RedisServer]):
    """A worker sends heartbeats even when Redis is out of memory."""
    server = redis_server()
    full = build_broker(Settings(redis_url=server.url))
    client = server.client()
    client.config_set("maxmemory", "1")
    full.do_fetch("q", 0)
    assert client.zcard(keys.HEARTBEATS) == 1


def test_consumer_without_room_sends_heartbeats(
    broker: FinanceHubBroker, redis_client: "redis.Redis", monkeypatch: pytest.MonkeyPatch
):
    """A consumer that already holds its maximum number of messages does not fetch, but sends heartbeats."""
    monkeypatch.setattr("financehub_shared.broker.consumer.HEARTBEAT_SECONDS", 0)
    enqueue(broker, "noop", queue="q")
    consumer = broker.consume("q", prefetch=1, timeout=10)
    assert next(consumer) is not None
    silence(redis_client, broker, 61)
    assert next(consumer) is None
    assert redis_client.zscore(keys.HEARTBEATS, broker.broker_id) / 1000 == pytest.approx(time.time(), abs=30)


def test_consumer_requeues_what_a_late_command_fetched(
    broker: FinanceHubBroker, redis_client: "redis.Redis", monkeypatch: pytest.MonkeyPatch
):
    """A fetch that runs after its connection was replaced strands no message, because consumers reconcile
    periodically.
    """
    consumer = broker.consume("q", prefetch=1, timeout=10)
    enqueue(broker, "noop", queue="q")
    broker.do_fetch("q", 1)
    assert next(consumer) is None
    monkeypatch.setattr("financehub_shared.broker.consumer.RECONCILE_SECONDS", 0)
    assert next(consumer) is not None


def test_build_broker_with_a_tier_of_a_user_works(redis_url: str):
    """A tier that is not built in needs no code."""
    assert build_broker(Settings(redis_url=redis_url), tier="overnight").middleware


def test_queue_stats_read_little_of_a_huge_message(redis_client: "redis.Redis"):
    """Each health report and scrape reads the head of each queue."""
    redis_client.hset(keys.messages("q"), "huge", b"x" * 7_000_000)
    redis_client.rpush(keys.ready("q"), "huge")
    before = int(redis_client.info("stats")["total_net_output_bytes"])
    queue_stats(redis_client, ["q"])
    assert int(redis_client.info("stats")["total_net_output_bytes"]) - before < 1_100_000
