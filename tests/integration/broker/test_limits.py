"""Limits on requests and dead letters (docs/limits.md)."""

import json
import time

import pytest
import redis
from structlog.testing import capture_logs

from financehub_shared.broker.dead_letter_queue import DeadLetterQueue
from financehub_shared.broker.janitor import MAX_DEAD_LETTERS, Janitor
from financehub_shared.core.errors import InvalidArgumentsError
from financehub_shared.core.settings import Settings
from financehub_shared.monitor.record_writer import RUNS_KEPT
from financehub_shared.redis import keys, queue_keys
from financehub_shared.schedules import request_backfill, request_trigger
from financehub_shared.schedules.requests import EARLIEST_BACKFILL, MAX_BACKFILLS, MAX_TRIGGERS
from support.observed import ObservedWorker
from support.schedules import UID


def store_letters(client: redis.Redis, queue: str, count: int, at: float) -> None:
    """Store dead letters, one per second up to `at`."""
    ids = [f"{queue}-{number}" for number in range(count)]
    body = json.dumps({"queue_name": queue, "actor_name": "t", "args": [], "kwargs": {}, "options": {}})
    client.hset(queue_keys.dead_messages(queue), mapping=dict.fromkeys(ids, body))
    client.zadd(queue_keys.dead(queue), {id: (at - count + number) * 1000 for number, id in enumerate(ids)})


def test_janitor_deletes_the_oldest_dead_letters_beyond_the_limit(redis_client: redis.Redis):
    """R1: Each queue keeps its newest letters, and the log says how many were deleted."""
    assert Settings().max_dead_letters == MAX_DEAD_LETTERS
    now = time.time()
    store_letters(redis_client, "full", 120, now)
    store_letters(redis_client, "half", 50, now)
    janitor = Janitor(redis_client, heartbeat_timeout_seconds=60, dead_letter_retention_days=7, max_dead_letters=100)
    with capture_logs() as logs:
        janitor.run()
    dropped = [entry for entry in logs if entry["event"] == "dead_letters_dropped"]
    assert [(entry["queue"], entry["count"], entry["limit"]) for entry in dropped] == [("full", 20, 100)]
    assert redis_client.zrange(queue_keys.dead("full"), 0, 0) == [b"full-20"]
    assert redis_client.hlen(queue_keys.dead_messages("full")) == 100
    assert redis_client.zcard(queue_keys.dead("half")) == 50
    with capture_logs() as logs:
        janitor.run()
    assert [entry for entry in logs if entry["event"] == "dead_letters_dropped"] == []
    assert len(DeadLetterQueue(redis_client).find(limit=200)) == 150


@pytest.mark.parametrize("died_at_ms", [float("inf"), float("-inf"), 1_700_000_000_000.7], ids=str)
def test_janitor_counts_letters_whose_time_is_damaged(died_at_ms: float, redis_client: redis.Redis):
    """Any client may write any time of death. The limit holds, and the newest letters stay."""
    store_letters(redis_client, "full", 2, time.time())
    redis_client.hset(queue_keys.dead_messages("full"), "damaged", "{}")
    redis_client.zadd(queue_keys.dead("full"), {"damaged": died_at_ms})
    Janitor(redis_client, heartbeat_timeout_seconds=60, dead_letter_retention_days=1e5, max_dead_letters=1).run()
    newest = b"damaged" if died_at_ms == float("inf") else b"full-1"
    assert redis_client.zrange(queue_keys.dead("full"), 0, -1) == [newest]


def register(client: redis.Redis) -> None:
    """Make a schedule known."""
    client.hset(keys.SCHEDULE_NAMES, "default/demo", UID)
    client.zadd(keys.SCHEDULES, {UID: time.time()})
    client.hset(keys.schedule(UID), mapping={"uid": UID, "name": "default/demo", "fingerprint": "f"})


def test_trigger_beyond_the_limit_is_refused(redis_client: redis.Redis):
    """Q10: Triggers that no scheduler takes do not pile up, and the error says what to check."""
    register(redis_client)
    redis_client.hset(keys.SCHEDULE_TRIGGERS, mapping={str(number): "{}" for number in range(MAX_TRIGGERS - 1)})
    request_trigger(redis_client, "default/demo")
    with pytest.raises(InvalidArgumentsError, match="1000 triggers are already waiting; check that a scheduler"):
        request_trigger(redis_client, "default/demo")
    assert redis_client.hlen(keys.SCHEDULE_TRIGGERS) == MAX_TRIGGERS


def test_backfill_beyond_the_limit_is_refused(redis_client: redis.Redis):
    """Q11: Schedulers read each backfill every second, so only a limited number may be open."""
    register(redis_client)
    redis_client.sadd(keys.SCHEDULE_BACKFILLS, *(str(number) for number in range(MAX_BACKFILLS - 1)))
    request_backfill(redis_client, "default/demo", EARLIEST_BACKFILL, EARLIEST_BACKFILL + 60)
    with pytest.raises(InvalidArgumentsError, match="100 backfills have not ended yet"):
        request_backfill(redis_client, "default/demo", EARLIEST_BACKFILL, EARLIEST_BACKFILL + 60)
    assert redis_client.scard(keys.SCHEDULE_BACKFILLS) == MAX_BACKFILLS


def test_task_keeps_the_newest_run_records(redis_url: str, monkeypatch: pytest.MonkeyPatch):
    """R3: A task that runs each second has records of its newest runs only, and counters of all."""
    assert RUNS_KEPT == 10_080
    monkeypatch.setattr("financehub_shared.monitor.record_writer.RUNS_KEPT", 5)
    fleet = ObservedWorker(redis_url)
    actor = fleet.actor(lambda: None, actor_name="task")
    ids = []
    for _ in range(8):
        ids.append(actor.send().message_id)
        fleet.drain()
    kept = [id for id in ids if fleet.client.exists(keys.run(id))]
    assert kept == ids[-5:]
    assert fleet.client.zcard(keys.task_recent("task")) == 5
    assert fleet.monitor.get_all_stats()["task"].succeeded == 8
