"""Health of a fleet, from a real Redis."""

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
import redis

from financehub_low_priority.health_check import check_health
from financehub_shared.breaker.states import Phase
from financehub_shared.core.clock import ManualClock
from financehub_shared.core.models import Asset, AssetType, Quote
from financehub_shared.core.settings import load_settings
from financehub_shared.health.collect import CACHE_SECONDS, HealthChecker
from financehub_shared.health.queue_watch import QueueWatch
from financehub_shared.health.report import Status
from financehub_shared.health.workers import EXPIRES_SECONDS, Heartbeat, ProcessInfo, WorkerRegistry
from financehub_shared.market.redis_store import RedisStore
from financehub_shared.monitor import TaskMonitor
from financehub_shared.redis import keys
from financehub_shared.worker.observers import health_checker
from support.observed import eventually
from support.redis_server import RedisServer

DATASETS = ("quotes:crypto", "quotes:stock", "news", "bars", "indicators")


def fleet(client: "redis.Redis", clock: ManualClock) -> None:
    """Make Redis look as a fleet leaves it that is well."""
    store = RedisStore(client)
    store.put_assets([Asset("BTC-USD", AssetType.CRYPTO), Asset("AAPL", AssetType.STOCK)])
    store.put_quotes([Quote("BTC-USD", Decimal(1), "USD", None, clock.now(), "binance")])
    for dataset in DATASETS:
        store.mark_success(dataset, "binance", clock.now())
    registry = WorkerRegistry(client)
    for tier in ("high", "medium", "low", "scheduler"):
        registry.beat(ProcessInfo(f"w-{tier}", tier, "host", 1, clock.now(), clock.now(), (tier,), 2, 0))


def break_tier(client: "redis.Redis", clock: ManualClock) -> None:
    WorkerRegistry(client).forget("w-high")


def break_breaker(client: "redis.Redis", clock: ManualClock) -> None:
    client.sadd(keys.BREAKERS, "binance")
    client.hset(keys.breaker("binance"), mapping={"phase": Phase.OPEN.value, "reason": "failures", "error": "timeout"})


def break_breaker_of_nobody(client: "redis.Redis", clock: ManualClock) -> None:
    break_breaker(client, clock)
    client.hset(keys.breaker("binance"), "until", int((clock.now() - 7_200) * 1_000))


def break_freshness(client: "redis.Redis", clock: ManualClock) -> None:
    clock.advance(900)
    store = RedisStore(client)
    for dataset in DATASETS[1:]:
        store.mark_success(dataset, "binance", clock.now())
    client.sadd(keys.TASKS, "fetch_crypto_prices_task")
    client.hset(
        keys.task_stats("fetch_crypto_prices_task"),
        mapping={"last_failure_at": clock.now(), "last_error": "binance: timeout: no answer; kraken: blocked: 451"},
    )


CASES: dict[str, tuple[Callable[["redis.Redis", ManualClock], None] | None, str]] = {
    "well": (None, ""),
    "tier": (break_tier, "tier:high: no live worker; its tasks wait in the queue"),
    "breaker": (break_breaker, "provider:binance: circuit breaker open: timeout"),
    "breaker of an upstream that nobody needs": (break_breaker_of_nobody, ""),
    "freshness": (
        break_freshness,
        (
            "data:quotes:crypto: stale: last delivered 15 min ago by binance; the limit is 6 min; "
            "last error: binance: timeout: no answer; kraken: blocked: 451"
        ),
    ),
}


def checker_of(url: str, clock: ManualClock) -> HealthChecker:
    return health_checker(load_settings({"REDIS_URL": url}), clock=clock)


@pytest.mark.parametrize(("breakage", "problem"), CASES.values(), ids=CASES)
def test_what_is_in_redis_decides(
    redis_url: str, redis_client: "redis.Redis", breakage: Callable[..., None] | None, problem: str
) -> None:
    """A fleet that is well is ok; each thing that breaks makes it degraded with exactly its reason."""
    clock = ManualClock()
    fleet(redis_client, clock)
    if breakage:
        breakage(redis_client, clock)
    report = checker_of(redis_url, clock).report()
    assert report.problems == ([problem] if problem else [])
    assert report.status is (Status.DEGRADED if problem else Status.OK), report.problems


def schedule(client: "redis.Redis", task: str, queue: str) -> None:
    """Leave in Redis what a scheduler does that keeps such a schedule."""
    record = {"name": f"market/{task}", "task": task, "queue": queue, "spec": "{}", "suspended": "0"}
    client.hset(keys.schedule(task), mapping=record)
    client.zadd(keys.SCHEDULES, {task: 0})


def test_nobody_misses_data_that_nothing_brings(redis_url: str, redis_client: "redis.Redis") -> None:
    """Once schedules are there, only data that one of them brings should be there; before that, all of it."""
    clock = ManualClock()
    fleet(redis_client, clock)
    redis_client.delete(keys.FRESHNESS)
    missed = {f"data:{dataset}" for dataset in DATASETS}
    assert {problem.partition(": ")[0] for problem in checker_of(redis_url, clock).report().problems} == missed
    schedule(redis_client, "fetch_news_task", "medium")
    assert checker_of(redis_url, clock).report().problems == ["data:news: never fetched"]


def test_nobody_misses_a_tier_that_nothing_is_scheduled_for(redis_url: str, redis_client: "redis.Redis") -> None:
    """Once schedules are there, a tier without a worker is missed if one of them is for it, built-in or not."""
    clock = ManualClock()
    fleet(redis_client, clock)
    break_tier(redis_client, clock)
    schedule(redis_client, "fetch_news_task", "medium")
    assert checker_of(redis_url, clock).report().problems == []
    schedule(redis_client, "report_task", "research")
    assert checker_of(redis_url, clock).report().problems == [
        "tier:research: no live worker; its tasks wait in the queue"
    ]


def test_redis_away_is_down_and_back_is_ok(redis_server: Callable[..., RedisServer]) -> None:
    """A fleet without its Redis is down, in bounded time, and well again by itself when Redis is."""
    server, clock = redis_server(), ManualClock()
    fleet(server.client(), clock)
    checker = checker_of(server.url, clock)
    assert checker.report().status is Status.OK
    server.hang()
    clock.advance(CACHE_SECONDS + 1)
    assert checker.report().status is Status.DOWN
    server.resume()
    clock.advance(CACHE_SECONDS + 1)
    fleet(server.client(), clock)  # the keys that expired while nobody could beat
    assert checker.report().status is Status.OK


@pytest.mark.parametrize(("away", "named"), [("queues", "Redis"), ("data", "Redis of the data")])
def test_either_redis_away_is_down(redis_server: Callable[..., RedisServer], away: str, named: str) -> None:
    """Where queues and data lie in two Redis, a fleet without one of them is down, and the reason says which."""
    servers, clock = {"queues": redis_server(), "data": redis_server()}, ManualClock()
    urls = {"REDIS_URL": servers["data"].url, "DRAMATIQ_BROKER_URL": servers["queues"].url}
    checker = health_checker(load_settings(urls), clock=clock)
    servers[away].kill()
    report = checker.report()
    assert report.status is Status.DOWN
    assert [problem.partition(":")[2].partition(" does")[0] for problem in report.problems] == [f" {named}"]


def test_the_health_task_records_the_report(redis_url: str, redis_client: "redis.Redis") -> None:
    """The task writes the report where the CLI reads it; its summary names what is wrong, and it does not fail."""
    clock = ManualClock()
    fleet(redis_client, clock)
    break_tier(redis_client, clock)
    summary = check_health(
        checker=checker_of(redis_url, clock), monitor=TaskMonitor(redis_client), client=redis_client, clock=clock
    )
    recorded = json.loads(redis_client.get(keys.HEALTH))
    assert recorded["status"] == "degraded"
    assert recorded["problems"] == ["tier:high: no live worker; its tasks wait in the queue"]
    assert summary.details["status"] == "degraded"
    assert list(summary.missing) == ["tier:high"]
    assert (summary.asked, summary.asked - summary.stored) == (len(recorded["checks"]), 1)


def test_a_process_is_alive_while_it_beats_and_forgotten_when_it_stops(redis_client: "redis.Redis") -> None:
    """A beat makes a process alive for EXPIRES_SECONDS; a stop in good order makes it gone at once."""
    registry, clock = WorkerRegistry(redis_client), ManualClock()
    info = ProcessInfo.of_this_process("high", clock.now())
    heartbeat = Heartbeat(registry, lambda: info, clock, lambda _: None)
    heartbeat.start()
    eventually(registry.alive)
    assert [one.tier for one in registry.alive()] == ["high"]
    assert 0 < redis_client.ttl(keys.process(info.id)) <= EXPIRES_SECONDS
    heartbeat.stop()
    assert registry.alive() == []


def test_queues_that_users_add_are_watched_too(redis_client: "redis.Redis") -> None:
    """The figures cover the tiers' queues and every other queue that holds something."""
    redis_client.hset("dramatiq:special.msgs", "m", b"{}")
    redis_client.rpush("dramatiq:special", "m")
    figures: dict[str, Any] = {one.queue: one for one in QueueWatch(redis_client, 60, ManualClock())()}
    assert set(figures) == {"high", "medium", "low", "special"}
    assert figures["special"].ready == 1
