"""Tests of the chart's rules on a real fleet: each fault raises exactly its alerts, which end with the fault."""

import time

import redis

from financehub_shared.redis import keys
from financehub_shared.schedules import show_schedule
from prometheus.conftest import MonitoredFleet, StartFleet
from support.waiting import eventually

CRYPTO = ("binance", "coingecko", "kraken")


def _assert_no_rule_fails(monitored: MonitoredFleet) -> None:
    assert monitored.prometheus.rule_problems() == []


def test_alerts_with_faulty_providers_and_data_are_exactly_theirs(start_fleet: StartFleet) -> None:
    """Normal work does not raise an alert, and wrong prices raise the quarantine alert. While all crypto providers are
    down, the breakers, the dead letters, the failing schedule, the error budgets and finally the stale dataset raise
    alerts, each with the release and a runbook. When the providers are back, every alert that can end does.
    """
    running = start_fleet()
    fleet, prometheus = running.fleet, running.prometheus
    fleet.schedule("crypto", "fetch_crypto_prices_task", "@every 2s", "  catchUp: None\n")
    fleet.schedule("stocks", "fetch_stock_prices_task", "@every 2s", "  catchUp: None\n")
    fleet.schedule("health", "health_check_task", "@every 1s", "  catchUp: None\n")
    running.start("high", "low")
    known = 'last_over_time(release:financehub_slo_events:rate5m{slo="success"}[60s] offset 30s)'
    eventually(lambda: prometheus.query(known), "the error budgets know the release", 180)
    _assert_no_rule_fails(running)
    assert running.fired == set(), "an alert has fired without a fault"

    for upstream in CRYPTO:
        fleet.simulator.set_fault("zero", upstream, symbol="BTC-USD")
    running.wait_until_firing("FinanceHubQuarantineRate")
    assert running.fired == {"FinanceHubQuarantineRate"}
    fleet.simulator.reset()

    for upstream in CRYPTO:
        fleet.simulator.set_fault("server-error", upstream)
    early = {"FinanceHubBreakerOpen", "FinanceHubDeadLettersRising", "FinanceHubScheduleFailing"}
    running.wait_until_firing(*early, "FinanceHubSuccessBudgetBurnFast")
    # simulate an outage of ten minutes
    with fleet.redis() as client:
        client.hset(keys.FRESHNESS, "quotes:crypto|simulated/binance", str(time.time() - 600))
    late = {"FinanceHubDatasetStale", "FinanceHubFreshnessBudgetBurnFast"}
    running.wait_until_firing(*late)
    expected = early | late | {"FinanceHubQuarantineRate", "FinanceHubSuccessBudgetBurnFast"}
    assert running.fired == expected
    for name in expected - {"FinanceHubQuarantineRate"}:
        for alert in prometheus.alert(name):
            assert alert["labels"]["release"] == "local"
            assert "release local" in alert["annotations"]["description"], alert
            assert alert["annotations"]["runbook_url"].endswith(f"runbooks/{name}.md")
    (stale,) = prometheus.alert("FinanceHubDatasetStale")
    assert stale["labels"]["dataset"] == "quotes:crypto"

    fleet.simulator.reset()
    for upstream in CRYPTO:
        fleet.cli("breakers", "reset", upstream)
    # the other alerts end with their windows of up to an hour
    running.wait_until_resolved("FinanceHubBreakerOpen", "FinanceHubDatasetStale", "FinanceHubScheduleFailing")
    assert running.fired == expected
    _assert_no_rule_fails(running)


def test_alerts_with_killed_processes_are_exactly_theirs(start_fleet: StartFleet) -> None:
    """A killed tier raises an alert once its messages wait, and a killed scheduler immediately. Missed due times
    raise an alert once a scheduler is back. Each alert ends with its fault. Without a scheduler the freshness of the
    data is unknown, which counts against the error budget.
    """
    running = start_fleet()
    fleet = running.fleet
    fleet.schedule("crypto", "fetch_crypto_prices_task", "@every 2s", "  catchUp: None\n")
    fleet.schedule("health", "health_check_task", "@every 1s", "  catchUp: None\n  concurrencyPolicy: Forbid\n")
    running.start("high", "low")
    eventually(lambda: fleet.cli("quotes"), "quotes are there", 120)

    running.kill("low")
    running.wait_until_firing("FinanceHubTierWithoutWorker")
    (alert,) = running.prometheus.alert("FinanceHubTierWithoutWorker")
    assert alert["labels"]["queue"] == "low"
    fleet.start_tier("low")
    running.scrape()
    running.wait_until_resolved()
    assert running.fired == {"FinanceHubTierWithoutWorker"}

    running.kill("scheduler")
    running.wait_until_firing("FinanceHubSchedulerAbsent", "FinanceHubFreshnessBudgetBurnFast")
    fleet.start_scheduler()
    running.scrape()
    running.wait_until_resolved("FinanceHubSchedulerAbsent")
    running.wait_until_firing("FinanceHubScheduleMissed")
    absence = {"FinanceHubSchedulerAbsent", "FinanceHubFreshnessBudgetBurnFast", "FinanceHubScheduleMissed"}
    assert running.fired == {"FinanceHubTierWithoutWorker", *absence}
    _assert_no_rule_fails(running)


def test_alerts_with_faulty_redis_are_exactly_theirs(start_fleet: StartFleet) -> None:
    """If Redis hangs, is nearly full, may evict keys or does not persist, one alert fires until the fault ends."""
    running = start_fleet()
    fleet = running.fleet
    fleet.schedule("health", "health_check_task", "@every 1s", "  catchUp: All\n")
    running.start("low")
    eventually(lambda: running.prometheus.query("financehub_messages_total > 3"), "health is checked", 120)

    # A run that is in progress when Redis hangs becomes a dead letter, which is rightly another alert.
    fleet.schedule("health", "health_check_task", "@every 1s", "  suspend: true\n")
    with fleet.redis() as client:
        eventually(lambda: _is_idle(client), "the schedule is suspended, and no run is in progress", 120)
    fleet.server.hang()
    running.wait_until_firing("FinanceHubRedisDown")
    fleet.server.resume()
    running.wait_until_resolved("FinanceHubRedisDown")
    assert running.fired == {"FinanceHubRedisDown"}

    with fleet.redis() as client:
        _expect_alert(running, client, "FinanceHubRedisMemoryHigh", "maxmemory", client.info()["used_memory"] + 300_000)
        client.config_set("maxmemory", "200mb")
        _expect_alert(running, client, "FinanceHubRedisEvictionPolicy", "maxmemory-policy", "allkeys-lru")
        client.config_set("maxmemory-policy", "noeviction")
        _expect_alert(running, client, "FinanceHubRedisWithoutPersistence", "appendonly", "no")
        client.config_set("appendonly", "yes")
    running.wait_until_resolved()
    _assert_no_rule_fails(running)


def _is_idle(client: "redis.Redis") -> bool:
    """Whether the schedule is suspended and all of its runs have ended."""
    is_suspended = show_schedule(client, "health").suspended
    return is_suspended and not client.llen("dramatiq:low") and not client.zcard(keys.task_running("health_check_task"))


def _expect_alert(monitored: MonitoredFleet, client: "redis.Redis", alert: str, setting: str, value: object) -> None:
    before = monitored.fired
    monitored.wait_until_resolved()
    client.config_set(setting, value)
    monitored.wait_until_firing(alert)
    assert monitored.fired == {*before, alert}
