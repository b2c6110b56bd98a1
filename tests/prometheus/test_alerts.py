"""The chart's rules on a real fleet: each fault raises its alerts and no others, and they end with the fault."""

import time

import pytest
import redis

from financehub_shared.redis import keys
from prometheus.conftest import StartWatched, Watched
from support.fleet import eventually

CRYPTO = ("binance", "coingecko", "kraken")


def _no_rule_fails(watched: Watched) -> None:
    assert watched.prometheus.rule_problems() == []


# two minutes of waiting on an idle machine
@pytest.mark.timeout(240)
def test_faults_of_providers_and_data_raise_their_alerts_and_no_other(watched: StartWatched) -> None:
    """Normal work raises nothing; wrong prices raise the quarantine alert; with every crypto provider down the
    breakers, the dead letters, the failing schedule, the error budgets and finally the stale dataset raise alerts, each
    with the release and a runbook. When the providers are back, every alert that can end does.
    """
    running = watched()
    fleet, prometheus = running.fleet, running.prometheus
    fleet.schedule("crypto", "fetch_crypto_prices_task", "@every 2s", "  catchUp: None\n")
    fleet.schedule("stocks", "fetch_stock_prices_task", "@every 2s", "  catchUp: None\n")
    fleet.schedule("health", "health_check_task", "@every 1s", "  catchUp: None\n")
    running.start("high", "low")
    known = 'last_over_time(release:financehub_slo_events:rate5m{slo="success"}[60s] offset 30s)'
    eventually("the error budgets know the release", lambda: prometheus.query(known), 60)
    _no_rule_fails(running)
    assert running.fired == set(), "nothing is wrong"

    for upstream in CRYPTO:
        fleet.simulator.fault("zero", upstream, symbol="BTC-USD")
    running.until_firing("FinanceHubQuarantineRate")
    assert running.fired == {"FinanceHubQuarantineRate"}
    fleet.simulator.reset()

    for upstream in CRYPTO:
        fleet.simulator.fault("server-error", upstream)
    soon = {"FinanceHubBreakerOpen", "FinanceHubDeadLettersRising", "FinanceHubScheduleFailing"}
    running.until_firing(*soon, "FinanceHubSuccessBudgetBurnFast")
    # as if they had been down for ten minutes
    with fleet.redis() as client:
        client.hset(keys.FRESHNESS, "quotes:crypto|simulated/binance", str(time.time() - 600))
    late = {"FinanceHubDatasetStale", "FinanceHubFreshnessBudgetBurnFast"}
    running.until_firing(*late)
    expected = soon | late | {"FinanceHubQuarantineRate", "FinanceHubSuccessBudgetBurnFast"}
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
    # the others end with their windows, of up to an hour
    running.until_calm("FinanceHubBreakerOpen", "FinanceHubDatasetStale", "FinanceHubScheduleFailing")
    assert running.fired == expected
    _no_rule_fails(running)


def test_processes_that_die_raise_their_alerts_and_no_other(watched: StartWatched) -> None:
    """A killed tier alerts once its messages wait, a killed scheduler at once, and due times missed meanwhile once it
    is back; each alert ends with its fault. Without a scheduler nobody vouches for the data, which costs its budget.
    """
    running = watched()
    fleet = running.fleet
    fleet.schedule("crypto", "fetch_crypto_prices_task", "@every 2s", "  catchUp: None\n")
    fleet.schedule("health", "health_check_task", "@every 1s", "  catchUp: None\n  concurrencyPolicy: Forbid\n")
    running.start("high", "low")
    eventually("quotes are there", lambda: fleet.cli("quotes"))

    running.kill("low")
    running.until_firing("FinanceHubTierWithoutWorker")
    (alert,) = running.prometheus.alert("FinanceHubTierWithoutWorker")
    assert alert["labels"]["queue"] == "low"
    fleet.start_tier("low")
    running.scrape()
    running.until_calm()
    assert running.fired == {"FinanceHubTierWithoutWorker"}

    running.kill("scheduler")
    running.until_firing("FinanceHubSchedulerAbsent", "FinanceHubFreshnessBudgetBurnFast")
    fleet.start_scheduler()
    running.scrape()
    running.until_calm("FinanceHubSchedulerAbsent")
    running.until_firing("FinanceHubScheduleMissed")
    absence = {"FinanceHubSchedulerAbsent", "FinanceHubFreshnessBudgetBurnFast", "FinanceHubScheduleMissed"}
    assert running.fired == {"FinanceHubTierWithoutWorker", *absence}
    _no_rule_fails(running)


def test_faults_of_redis_raise_their_alerts_and_no_other(watched: StartWatched) -> None:
    """Redis hangs, is nearly full, may evict keys, or does not persist: one alert each, which ends with its fault."""
    running = watched()
    fleet = running.fleet
    fleet.schedule("health", "health_check_task", "@every 1s", "  catchUp: All\n")
    running.start("low")
    eventually("health is checked", lambda: running.prometheus.query("financehub_messages_total > 3"))

    fleet.server.hang()
    running.until_firing("FinanceHubRedisDown")
    fleet.server.resume()
    running.until_calm("FinanceHubRedisDown")
    assert running.fired == {"FinanceHubRedisDown"}

    with fleet.redis() as client:
        _one_alert(running, client, "FinanceHubRedisMemoryHigh", "maxmemory", client.info()["used_memory"] + 300_000)
        client.config_set("maxmemory", "200mb")
        _one_alert(running, client, "FinanceHubRedisEvictionPolicy", "maxmemory-policy", "allkeys-lru")
        client.config_set("maxmemory-policy", "noeviction")
        _one_alert(running, client, "FinanceHubRedisWithoutPersistence", "appendonly", "no")
        client.config_set("appendonly", "yes")
    running.until_calm()
    _no_rule_fails(running)


def _one_alert(watched: Watched, client: "redis.Redis", alert: str, setting: str, value: object) -> None:
    before = watched.fired
    watched.until_calm()
    client.config_set(setting, value)
    watched.until_firing(alert)
    assert watched.fired == {*before, alert}
