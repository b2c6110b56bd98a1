"""Tests of the health report of a fleet, with a real Redis."""

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
import redis
from structlog.testing import capture_logs

from financehub_low_priority.health_check import check_health
from financehub_shared.breaker.model import BreakerState
from financehub_shared.broker.queues import QueueStats
from financehub_shared.core.clock import ManualClock
from financehub_shared.core.kinds import AssetType
from financehub_shared.core.models import Asset, Quote
from financehub_shared.core.settings import load_settings
from financehub_shared.health.checker import CACHE_SECONDS, HealthChecker
from financehub_shared.health.processes import EXPIRY_SECONDS, Heartbeat, ProcessInfo, ProcessRegistry
from financehub_shared.health.queue_reader import QueueReader
from financehub_shared.health.readers import health_checker
from financehub_shared.health.report import HealthStatus
from financehub_shared.market.redis_store import RedisStore
from financehub_shared.monitor import TaskMonitor
from financehub_shared.redis import keys
from financehub_shared.redis.server_clock import ServerClock
from support.redis_server import RedisServer
from support.waiting import eventually

DATASETS = ("quotes:crypto", "quotes:stock", "news", "bars", "indicators")


def write_healthy_fleet(client: "redis.Redis", clock: ManualClock) -> None:
    """Write the records of a healthy fleet to Redis."""
    store = RedisStore(client)
    store.put_assets([Asset("BTC-USD", AssetType.CRYPTO), Asset("AAPL", AssetType.STOCK)])
    store.put_quotes([Quote("BTC-USD", Decimal(1), "USD", None, clock.now(), "binance")])
    for dataset in DATASETS:
        store.mark_success(dataset, "binance", clock.now())
    registry = ProcessRegistry(client)
    for tier in ("high", "medium", "low", "scheduler"):
        registry.write_heartbeat(ProcessInfo(f"w-{tier}", tier, "host", 1, clock.now(), clock.now(), (tier,), 2, 0))


def remove_tier(client: "redis.Redis", clock: ManualClock) -> None:
    ProcessRegistry(client).remove("w-high")


def open_breaker(client: "redis.Redis", clock: ManualClock) -> None:
    client.sadd(keys.BREAKERS, "binance")
    fields = {"phase": BreakerState.OPEN.value, "reason": "failures", "error": "timeout"}
    client.hset(keys.breaker("binance"), mapping=fields)


def open_unneeded_breaker(client: "redis.Redis", clock: ManualClock) -> None:
    open_breaker(client, clock)
    client.hset(keys.breaker("binance"), "until", int((clock.now() - 7_200) * 1_000))


def make_quotes_stale(client: "redis.Redis", clock: ManualClock) -> None:
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
    "healthy": (None, ""),
    "tier": (remove_tier, "tier:high: no live worker; its tasks wait in the queue"),
    "breaker": (open_breaker, "provider:binance: circuit breaker open: timeout"),
    "breaker of an unneeded upstream": (open_unneeded_breaker, ""),
    "freshness": (
        make_quotes_stale,
        (
            "data:quotes:crypto: stale: last delivered 15m 0s ago by binance; the limit is 5m 30s; "
            "last error: binance: timeout: no answer; kraken: blocked: 451"
        ),
    ),
}


def checker_of(url: str, clock: ManualClock) -> HealthChecker:
    return health_checker(load_settings({"REDIS_URL": url}), clock=clock)


@pytest.mark.parametrize(("fault", "problem"), CASES.values(), ids=CASES)
def test_health_report_with_a_fault_is_degraded_with_its_reason(
    redis_url: str, redis_client: "redis.Redis", fault: Callable[..., None] | None, problem: str
) -> None:
    """A healthy fleet is ok. Each fault makes it degraded, with exactly the reason of that fault."""
    clock = ManualClock()
    write_healthy_fleet(redis_client, clock)
    if fault:
        fault(redis_client, clock)
    report = checker_of(redis_url, clock).report()
    assert report.problems == ([problem] if problem else [])
    assert report.status is (HealthStatus.DEGRADED if problem else HealthStatus.OK), report.problems


def write_schedule(client: "redis.Redis", task: str, queue: str) -> None:
    """Write the record of a schedule to Redis as a scheduler does."""
    record = {"name": f"market/{task}", "task": task, "queue": queue, "spec": "{}", "suspended": "0"}
    client.hset(keys.schedule(task), mapping=record)
    client.zadd(keys.SCHEDULES, {task: 0})


def test_health_report_with_schedules_expects_only_their_data(redis_url: str, redis_client: "redis.Redis") -> None:
    """Without schedules all datasets are expected. With schedules, only the datasets that they fetch are expected."""
    clock = ManualClock()
    write_healthy_fleet(redis_client, clock)
    redis_client.delete(keys.FRESHNESS)
    missed = {f"data:{dataset}" for dataset in DATASETS}
    assert {problem.partition(": ")[0] for problem in checker_of(redis_url, clock).report().problems} == missed
    write_schedule(redis_client, "fetch_news_task", "medium")
    assert checker_of(redis_url, clock).report().problems == ["data:news: never fetched"]


def test_health_report_with_schedules_expects_only_their_tiers(redis_url: str, redis_client: "redis.Redis") -> None:
    """With schedules, a tier without a worker is a problem only if a schedule uses it, built-in or not."""
    clock = ManualClock()
    write_healthy_fleet(redis_client, clock)
    remove_tier(redis_client, clock)
    write_schedule(redis_client, "fetch_news_task", "medium")
    assert checker_of(redis_url, clock).report().problems == []
    write_schedule(redis_client, "report_task", "research")
    assert checker_of(redis_url, clock).report().problems == [
        "tier:research: no live worker; its tasks wait in the queue"
    ]


def test_health_report_with_a_redis_outage_is_down_until_it_ends(redis_server: Callable[..., RedisServer]) -> None:
    """While Redis is unavailable, the fleet is reported as down within a bounded time. It is ok when Redis is back."""
    server, clock = redis_server(), ManualClock()
    write_healthy_fleet(server.client(), clock)
    checker = checker_of(server.url, clock)
    assert checker.report().status is HealthStatus.OK
    server.hang()
    clock.advance(CACHE_SECONDS + 1)
    assert checker.report().status is HealthStatus.DOWN
    server.resume()

    def is_ok() -> bool:
        clock.advance(CACHE_SECONDS + 1)
        write_healthy_fleet(server.client(), clock)  # the keys of processes expired while no heartbeat could be written
        return checker.report().status is HealthStatus.OK

    eventually(is_ok, "the fleet is ok again")


@pytest.mark.parametrize(("away", "named"), [("queues", "the queue Redis"), ("data", "the data Redis")])
def test_health_report_with_one_of_two_redis_servers_down_names_it(
    redis_server: Callable[..., RedisServer], away: str, named: str
) -> None:
    """If queues and data are in two Redis servers and one is unavailable, the fleet is down and the reason names it."""
    servers, clock = {"queues": redis_server(), "data": redis_server()}, ManualClock()
    urls = {"REDIS_URL": servers["data"].url, "DRAMATIQ_BROKER_URL": servers["queues"].url}
    checker = health_checker(load_settings(urls), clock=clock)
    servers[away].kill()
    report = checker.report()
    assert report.status is HealthStatus.DOWN
    assert [problem.partition(":")[2].partition(" at ")[0] for problem in report.problems] == [f" {named}"]


def test_check_health_records_the_report(redis_url: str, redis_client: "redis.Redis") -> None:
    """The task writes the report for the CLI. Its summary names the problems, and the task does not fail."""
    clock = ManualClock()
    write_healthy_fleet(redis_client, clock)
    remove_tier(redis_client, clock)
    summary = check_health(
        checker=checker_of(redis_url, clock), monitor=TaskMonitor(redis_client), client=redis_client, clock=clock
    )
    recorded = json.loads(redis_client.get(keys.HEALTH))
    assert recorded["status"] == "degraded"
    assert recorded["problems"] == ["tier:high: no live worker; its tasks wait in the queue"]
    assert summary.details["status"] == "degraded"
    assert list(summary.missing) == ["tier:high"]
    assert (summary.requested, summary.requested - summary.stored) == (len(recorded["checks"]), 1)


def test_process_registry_has_a_process_while_it_runs(redis_client: "redis.Redis") -> None:
    """A heartbeat makes a process alive for EXPIRY_SECONDS, and an orderly stop removes it immediately."""
    registry, clock = ProcessRegistry(redis_client), ManualClock()
    info = ProcessInfo.of_this_process("high", clock.now())
    heartbeat = Heartbeat(registry, lambda: info, ServerClock(clock), lambda _: None)
    heartbeat.start()
    eventually(registry.live)
    assert [process.tier for process in registry.live()] == ["high"]
    assert 0 < redis_client.ttl(keys.process(info.id)) <= EXPIRY_SECONDS
    heartbeat.stop()
    assert registry.live() == []


def test_queue_watch_covers_added_queues(redis_client: "redis.Redis") -> None:
    """The metrics cover the queues of the tiers and every other queue that contains messages."""
    redis_client.hset("dramatiq:special.msgs", "m", b"{}")
    redis_client.rpush("dramatiq:special", "m")
    figures: dict[str, Any] = {queue.queue: queue for queue in QueueReader(redis_client, 60, ManualClock()).read_all()}
    assert set(figures) == {"high", "medium", "low", "special"}
    assert figures["special"].ready == 1


def test_snapshot_without_a_part_has_all_others(redis_client: "redis.Redis"):
    """An error of our own code in one part is named in that part's check, and every other check is made."""

    def fail() -> list[QueueStats]:
        raise OverflowError("cannot convert float infinity to integer")

    health = HealthChecker(redis_client, redis_client, RedisStore(redis_client), fail, ManualClock())
    with capture_logs() as logs:
        for _ in range(3):
            snapshot = health.collect()
    checks = {check.name: check.reason for check in health.evaluate(snapshot).checks}
    assert checks["queues"] == (
        "not checked: an error of FinanceHub: OverflowError: cannot convert float infinity to integer"
    )
    assert {"redis", "tier:high", "scheduler", "assets"} <= checks.keys()
    assert [entry["event"] for entry in logs] == ["health_report_failed"]
