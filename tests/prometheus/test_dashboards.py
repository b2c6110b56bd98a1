"""Every expression of every panel, evaluated by a real Prometheus that scrapes a real fleet."""

import time
import uuid
from collections.abc import Callable

import pytest
from dramatiq import Message

from financehub_shared.monitor import TaskMonitor
from financehub_shared.redis import keys
from prometheus.conftest import StartWatched, Watched
from support.dashboards import Expression, expressions
from support.fleet import eventually
from support.panel_results import Series, problems, table_problems

TASK = "fetch_crypto_prices_task"
#: As Grafana computes it: four scrapes and one more.
RATE_INTERVAL = {"__rate_interval": "10s", "__interval": "2s", "__range": "60s"}
#: Panels that are empty while all is well, and that the faults of this test fill.
MOVED_BY_FAULTS = {
    "Active alerts",
    "Top reasons of quarantine",
    "Failed requests by outcome",
    "Consecutive failures",
    "Exceptions",
    "Dead letters by reason",
}
#: What panels say that show what each process knows without Redis.
WITHOUT_REDIS = "No data: no FinanceHub process is scraped"
#: Seconds that a graph shows here; while Redis hangs none of those before.
SHOWN = 30
SHOWN_WITHOUT_REDIS = 4


def _answer(watched: Watched, one: Expression, shown: float) -> list[Series]:
    if one.instant:
        return [(labels, [value]) for labels, value in watched.prometheus.query(one.text)]
    return watched.prometheus.query_range(one.text, shown)


def _problems(watched: Watched, required: Callable[[Expression], bool], shown: float) -> list[str]:
    """What is wrong with the answers to all expressions, and with the tables that they make."""
    found = []
    tables: dict[str, dict[str, list[Series]]] = {}
    for one in expressions(RATE_INTERVAL):
        series = _answer(watched, one, shown)
        where = f"{one.dashboard} / {one.panel}"
        found += [
            f"{where} / {one.legend}: {each}: {one.text}" for each in problems(one, series, required=required(one))
        ]
        if one.kind == "table":
            tables.setdefault(where, {})[one.legend] = series
    return found + [f"{where}: {each}" for where, columns in tables.items() for each in table_problems(columns)]


def _until_every_panel_answers(
    watched: Watched, required: Callable[[Expression], bool] = lambda one: not one.may_be_empty, shown: float = SHOWN
) -> None:
    limit = time.monotonic() + 60
    while found := _problems(watched, required, shown):
        assert time.monotonic() < limit, "\n".join(found)
        time.sleep(1)


def _needs_no_redis(one: Expression) -> bool:
    return one.no_value == WITHOUT_REDIS


def test_every_panel_answers_on_a_fleet_that_has_seen_good_and_bad_times(watched: StartWatched) -> None:
    """After normal work of all tiers, wrong data, a provider that is down, a dead letter, a stale dataset and a
    killed worker, each expression has a plausible result, or its panel says that an empty result is fine. While Redis
    hangs, the panels of processes still answer, and no other shows an error.
    """
    running = watched(DRAMATIQ_MAX_RETRIES="1")
    fleet = running.fleet
    fleet.schedule("crypto", "fetch_crypto_prices_task", "@every 2s")
    fleet.schedule("stocks", "fetch_stock_prices_task", "@every 2s")
    fleet.schedule("news", "fetch_news_task", "@every 5s")
    fleet.schedule("indicators", "calculate_indicators_task", "@every 5s")
    fleet.schedule("health", "health_check_task", "@every 1s", "  catchUp: None\n")
    running.start("high", "medium", "low")
    eventually("all datasets are there", lambda: running.prometheus.query("count(financehub_data_stale == 0) == 5"))
    _until_every_panel_answers(running)

    fleet.simulator.fault("zero", "yahoo", symbol="AAPL")
    for upstream in ("binance", "coingecko", "kraken"):
        fleet.simulator.fault("server-error", upstream)
    running.until_firing("FinanceHubDeadLettersRising")
    # as if they had been down for ten minutes
    with fleet.redis() as client:
        for source in client.hkeys(keys.FRESHNESS):
            if source.startswith(b"quotes:crypto|"):
                client.hset(keys.FRESHNESS, source, str(time.time() - 600))
    running.kill("high")
    running.until_firing("FinanceHubTierWithoutWorker", "FinanceHubDatasetStale")
    fleet.start_tier("high")
    running.scrape()
    _until_every_panel_answers(running)
    assert _values(running, "financehub-overview", "Stale datasets") == [1]
    # what is empty in good times only is not empty now
    bad_times = [one for one in expressions(RATE_INTERVAL) if one.panel in MOVED_BY_FAULTS]
    assert {one.panel for one in bad_times} == MOVED_BY_FAULTS
    assert [one.text for one in bad_times if not running.prometheus.query_range(one.text, 90)] == []

    fleet.server.hang()
    running.until_firing("FinanceHubRedisDown")
    eventually("figures of Redis are gone", lambda: not running.prometheus.query("financehub_queue_messages"))
    without_redis = {one.panel for one in expressions(RATE_INTERVAL) if _needs_no_redis(one)}
    assert {"Redis", "Processes", "Memory by process"} <= without_redis
    _until_every_panel_answers(running, _needs_no_redis, SHOWN_WITHOUT_REDIS)
    assert set(_values(running, "financehub-overview", "Redis")) == {0}
    fleet.server.resume()


def _values(watched: Watched, dashboard: str, panel: str) -> list[float]:
    """What a panel shows now."""
    chosen = [one for one in expressions(RATE_INTERVAL) if (one.dashboard, one.panel) == (dashboard, panel)]
    return [value for one in chosen for _, value in watched.prometheus.query(one.text)]


def test_rates_are_those_of_the_monitor(watched: StartWatched) -> None:
    """The rate that Prometheus computes is that of the runs that the fleet's monitor recorded, although it scrapes
    slowly, and a worker is killed and replaced in between (its counters start at zero again).
    """
    running = watched(scrape_seconds=4)
    running.start("high", "low")
    began = time.monotonic()
    _run_steadily(running, 24)
    running.kill("high")
    running.fleet.start_tier("high")
    running.scrape()
    _run_steadily(running, 24)
    window = time.monotonic() - began
    outcome = 'actor="fetch_crypto_prices_task",outcome="succeeded"'
    rate = running.prometheus.value(f"sum(increase(financehub_messages_total{{{outcome}}}[{round(window)}s]))")
    assert rate == pytest.approx(_succeeded(running), rel=0.25)


def _run_steadily(watched: Watched, seconds: float) -> None:
    """Enqueue five runs a second."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        _enqueue(watched)
        time.sleep(0.2)


def _enqueue(watched: Watched) -> None:
    """Enqueue a run of the crypto task, as a plain dramatiq client would."""
    id = uuid.uuid4().hex
    message = Message("high", TASK, (), {"symbols": ["BTC-USD"]}, {"redis_message_id": id})
    with watched.fleet.redis() as client:
        client.hset("dramatiq:high.msgs", id, message.encode())
        client.rpush("dramatiq:high", id)


def _succeeded(watched: Watched) -> int:
    with watched.fleet.redis() as client:
        return TaskMonitor(client).get_all_stats()[TASK].succeeded
