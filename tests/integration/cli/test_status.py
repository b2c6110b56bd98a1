"""`status`: the fleet at a glance, and an exit code for scripts."""

import time
from typing import Any

import redis

from financehub_shared.core.catalog import Tier
from financehub_shared.health.workers import ProcessInfo, WorkerRegistry
from financehub_shared.market.redis_store import RedisStore


def live(client: redis.Redis) -> None:
    """Processes of all tiers and a scheduler that beat."""
    now = time.time()
    for number, tier in enumerate([*Tier, "scheduler"]):
        info = ProcessInfo(f"p{number}", str(tier), "host", number, now, now, (str(tier),), threads=4, busy=1)
        WorkerRegistry(client).beat(info)


def test_a_fleet_that_is_not_there_is_down_and_ends_with_1(cli: Any):
    """Without any worker nothing works, and every reason is listed."""
    report = cli("status", code=1)
    assert report["status"] == "down"
    assert any(problem.startswith("tier:high: ") for problem in report["problems"])
    assert any(problem.startswith("scheduler: ") for problem in report["problems"])


def test_a_healthy_fleet_is_ok_and_ends_with_0(cli: Any, invoke: Any, store: RedisStore, redis_client: redis.Redis):
    """With every tier alive and all data fresh there is no problem, and tiers, queues and freshness are listed."""
    live(redis_client)
    for dataset in ("quotes:crypto", "quotes:stock", "news", "bars", "indicators"):
        store.mark_success(dataset, "simulated/all", time.time())
    report = cli("status")
    assert (report["status"], report["problems"]) == ("ok", [])
    assert {(each["tier"], each["processes"], each["busy"], each["threads"]) for each in report["tiers"]} == {
        (tier, 1, 1, 4) for tier in ("high", "medium", "low", "scheduler")
    }
    assert {each["dataset"] for each in report["freshness"]} == {
        *("quotes:crypto", "quotes:stock", "news", "bars", "indicators")
    }
    assert not any(each["stale"] for each in report["freshness"])
    assert report["at"].endswith("Z")
    shown = invoke("status").stdout
    for part in ("ok", "high", "scheduler", "quotes:crypto", "simulated/all"):
        assert part in shown


def test_stale_data_and_open_breakers_are_problems(cli: Any, invoke: Any, store: RedisStore, redis_client: redis.Redis):
    """What is wrong is named with its reason, in the JSON and for people."""
    live(redis_client)
    store.mark_success("quotes:crypto", "binance", time.time() - 86_400)
    cli("breakers", "open", "binance")
    report = cli("status", code=1)
    assert report["status"] == "degraded"
    assert report["breakers"] == [{"upstream": "binance", "state": "open", "reason": "forced"}]
    assert [each["stale"] for each in report["freshness"]] == [True]
    assert any("data:quotes:crypto: stale" in problem for problem in report["problems"])
    assert "! provider:binance: circuit breaker open" in invoke("status").stdout
