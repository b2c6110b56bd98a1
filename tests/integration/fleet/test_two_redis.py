"""The queues in one Redis, the data in another."""

from collections.abc import Callable
from functools import partial

import redis

from financehub_shared.broker import DeadLetterQueue
from financehub_shared.core.catalog import CATALOG
from financehub_shared.monitor import TaskMonitor
from integration.fleet.conftest import StartFleet
from support.fleet import eventually
from support.redis_server import RedisServer

#: What keys of ours begin with, by where they belong; all of dramatiq's belong to the queues.
DATA = ("assets", "quotes", "bars:", "indicators", "news", "quarantine", "freshness")
FETCHING = ("breaker", "budget:", "validators:")
QUEUES = ("run:", "task", "process", "health", "schedule", "backfill:")


def strangers(client: "redis.Redis", *prefixes: str) -> list[str]:
    """Keys that begin with none of the prefixes."""
    return [key for key in (name.decode() for name in client.scan_iter()) if not key.startswith(prefixes)]


def test_queues_and_data_may_lie_in_two_redis(fleet: StartFleet, redis_server: Callable[..., RedisServer]) -> None:
    """With DRAMATIQ_BROKER_URL beside REDIS_URL every task succeeds, health, CLI and a dead letter work, and each key
    lies where it belongs.
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
            eventually(f"{task} succeeds", partial(succeeded, task), within=40)
        eventually("the fleet is well", lambda: running.health().get("status") == "ok")
        assert running.cli("status")["status"] == "ok"
        assert {quote["symbol"] for quote in running.cli("quotes")} == {"BTC-USD", "ETH-USD", "AAPL", "VOD.L"}
        assert len(running.cli("schedules", "list")) == len(CATALOG)
        assert running.cli("run", "cleanup_old_cache_task", "--arg", "dry_run=true")["state"] == "succeeded"
        assert running.cli("breakers", "list")

        running.simulator.fault("server-error", "rss")
        running.simulator.fault("server-error", "gdelt")
        eventually("a dead letter", DeadLetterQueue(client).find)
        assert running.cli("dead", "list")

        assert strangers(client, "dramatiq:", *(f"financehub:{name}" for name in QUEUES)) == []
        assert strangers(data, *(f"financehub:{name}" for name in DATA + FETCHING)) == []
