"""Tests a fleet with the queues in one Redis and the data in another."""

from collections.abc import Callable
from functools import partial

import pytest
import redis

from financehub_shared.broker.dead_letter_queue import DeadLetterQueue
from financehub_shared.core.catalog import CATALOG
from financehub_shared.monitor import TaskMonitor
from integration.fleet.conftest import StartFleet
from support.redis_server import RedisServer
from support.waiting import eventually

pytestmark = pytest.mark.faults

#: Prefixes of our keys, by Redis. All dramatiq keys belong in the queue Redis.
DATA = ("assets", "quotes", "history:", "bars:", "full-reads", "indicators", "news", "quarantine", "freshness")
RESILIENCE = ("breaker", "budget:", "validators:")
QUEUES = ("run:", "task", "process", "health", "schedule", "backfill:")
#: The key with which every process checks that a server accepts writes.
BOTH = ("write-probe",)


def other_keys(client: "redis.Redis", *prefixes: str) -> list[str]:
    """Return the keys that start with none of the prefixes."""
    return [key for key in (name.decode() for name in client.scan_iter()) if not key.startswith(prefixes)]


def test_fleet_with_two_redis_keeps_each_key_in_its_own(
    fleet: StartFleet, redis_server: Callable[..., RedisServer]
) -> None:
    """With DRAMATIQ_BROKER_URL and REDIS_URL every task succeeds, health, CLI and dead letters work, and each key is in
    the right Redis.
    """
    queues = redis_server()
    running = fleet(DRAMATIQ_BROKER_URL=queues.url, DRAMATIQ_MAX_RETRIES="0")
    for task in CATALOG:
        running.schedule(task.replace("_", "-"), task, "@every 2s")
    running.start_scheduler()
    for tier in ("high", "medium", "low"):
        running.start_tier(tier)

    with queues.client() as client, running.redis() as data:
        monitor = TaskMonitor(client)

        def succeeded(task: str) -> bool:
            stats = monitor.get_all_stats().get(task)
            return stats is not None and stats.succeeded > 0

        for task in CATALOG:
            eventually(partial(succeeded, task), f"{task} succeeds")
        eventually(lambda: running.health().get("status") == "ok", "the fleet is healthy")
        eventually(lambda: running.cli("status", code=None)["status"] == "ok", "the command line says so too")
        assert {quote["symbol"] for quote in running.cli("quotes")} == {"BTC-USD", "ETH-USD", "AAPL", "VOD.L"}
        assert len(running.cli("schedules", "list")) == len(CATALOG)
        assert running.cli("run", "cleanup_old_cache_task", "--arg", "dry_run=true")["state"] == "succeeded"
        assert running.cli("breakers", "list")

        running.simulator.set_fault("server-error", "rss")
        running.simulator.set_fault("server-error", "gdelt")
        eventually(DeadLetterQueue(client).find, "a dead letter")
        assert running.cli("dead-letters", "list")

        assert other_keys(client, "dramatiq:", *(f"financehub:{name}" for name in QUEUES + BOTH)) == []
        assert other_keys(data, *(f"financehub:{name}" for name in DATA + RESILIENCE + BOTH)) == []
