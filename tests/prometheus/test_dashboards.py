"""Tests that evaluate every expression of every panel with a real Prometheus that scrapes a real fleet."""

import threading
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import httpx
import pytest
from dramatiq import Message

from financehub_shared.monitor import TaskMonitor
from financehub_shared.redis import keys
from prometheus.conftest import MonitoredFleet, StartFleet
from support.dashboards import Expression, expressions
from support.panel_results import Series, problems, table_problems
from support.waiting import eventually

TASK = "fetch_crypto_prices_task"
#: Variables as Grafana sets them. The rate interval is four scrape intervals plus the expression's step.
RATE_INTERVAL = {"__rate_interval": "10s", "__interval": "2s", "__range": "60s"}
#: Panels that are normally empty and that the faults of this test fill.
FILLED_BY_FAULTS = {
    "Active alerts",
    "Top reasons of quarantine",
    "Failed requests by outcome",
    "Consecutive failures",
    "Exceptions",
    "Dead letters by reason",
}
#: No-value text of the panels with metrics that each process serves without Redis.
WITHOUT_REDIS = "No data: no FinanceHub process is scraped"
#: Seconds that a graph covers, in general and while Redis hangs, when older samples must not count.
GRAPH_SECONDS = 30
GRAPH_SECONDS_WITHOUT_REDIS = 4


def _result(monitored: MonitoredFleet, expression: Expression, seconds: float) -> list[Series]:
    if expression.instant:
        return [(labels, [value]) for labels, value in monitored.prometheus.query(expression.text)]
    return monitored.prometheus.query_range(expression.text, seconds)


def _panel_problems(monitored: MonitoredFleet, required: Callable[[Expression], bool], seconds: float) -> list[str]:
    """Return the problems in the results of all expressions and in the tables built from them."""
    found = []
    tables: dict[str, dict[str, list[Series]]] = {}
    for expression in expressions(RATE_INTERVAL):
        series = _result(monitored, expression, seconds)
        where = f"{expression.dashboard} / {expression.panel}"
        found += [
            f"{where} / {expression.legend}: {problem}: {expression.text}"
            for problem in problems(expression, series, required=required(expression))
        ]
        if expression.kind == "table":
            tables.setdefault(where, {})[expression.legend] = series
    return found + [f"{where}: {problem}" for where, columns in tables.items() for problem in table_problems(columns)]


def _wait_until_panels_have_results(
    monitored: MonitoredFleet,
    required: Callable[[Expression], bool] = lambda expression: not expression.may_be_empty,
    seconds: float = GRAPH_SECONDS,
) -> None:
    limit = time.monotonic() + 150
    while found := _panel_problems(monitored, required, seconds):
        assert time.monotonic() < limit, "\n".join(found)
        time.sleep(1)


def _works_without_redis(expression: Expression) -> bool:
    return expression.no_value == WITHOUT_REDIS


def test_panels_on_a_fleet_with_faults_have_results(start_fleet: StartFleet) -> None:
    """After normal work of all tiers, wrong data, a provider outage, a dead letter, a stale dataset and a dead worker,
    each expression has a plausible result, or its panel says that an empty result is expected. While Redis hangs, the
    panels of processes still have results, and no other panel shows an error.
    """
    running = start_fleet(DRAMATIQ_MAX_RETRIES="1")
    fleet = running.fleet
    fleet.schedule("crypto", "fetch_crypto_prices_task", "@every 2s")
    fleet.schedule("stocks", "fetch_stock_prices_task", "@every 2s")
    fleet.schedule("news", "fetch_news_task", "@every 5s")
    fleet.schedule("indicators", "calculate_indicators_task", "@every 5s")
    fleet.schedule("health", "health_check_task", "@every 1s", "  catchUp: None\n")
    console = fleet.start_web()
    running.start("high", "medium", "low")
    fresh = "count(financehub_data_stale == 0) == 5"
    eventually(lambda: running.prometheus.query(fresh), "all datasets are there", 120)
    with _readers(console):
        _wait_until_panels_have_results(running)

    fleet.simulator.set_fault("zero", "yahoo", symbol="AAPL")
    for upstream in ("binance", "coingecko", "kraken"):
        fleet.simulator.set_fault("server-error", upstream)
    running.wait_until_firing("FinanceHubDeadLettersRising")
    # simulate an outage of ten minutes
    with fleet.redis() as client:
        for source in client.hkeys(keys.FRESHNESS):
            if source.startswith(b"quotes:crypto|"):
                client.hset(keys.FRESHNESS, source, str(time.time() - 600))
    running.kill("high")
    running.wait_until_firing("FinanceHubTierWithoutWorker", "FinanceHubDatasetStale")
    fleet.start_tier("high")
    running.scrape()
    with _readers(console):
        _wait_until_panels_have_results(running)
    assert _values(running, "financehub-overview", "Stale datasets") == [1]
    # the panels that are normally empty are not empty now
    with_faults = [expression for expression in expressions(RATE_INTERVAL) if expression.panel in FILLED_BY_FAULTS]
    assert {expression.panel for expression in with_faults} == FILLED_BY_FAULTS
    empty = [item.text for item in with_faults if not running.prometheus.query_range(item.text, 90)]
    assert empty == []

    fleet.server.hang()
    running.wait_until_firing("FinanceHubRedisDown")
    eventually(lambda: not running.prometheus.query("financehub_queue_messages"), "metrics from Redis are absent", 120)
    without_redis = {expression.panel for expression in expressions(RATE_INTERVAL) if _works_without_redis(expression)}
    assert {"Redis", "Processes", "Memory by process"} <= without_redis
    _wait_until_panels_have_results(running, _works_without_redis, GRAPH_SECONDS_WITHOUT_REDIS)
    assert set(_values(running, "financehub-overview", "Redis")) == {0}
    fleet.server.resume()


@contextmanager
def _readers(address: str) -> Iterator[None]:
    """Request pages and routes of the web process until the end of the block."""
    finished = threading.Event()

    def read() -> None:
        with httpx.Client(base_url=address, timeout=30) as client:
            while not finished.wait(0.2):
                for path in ("/", "/quotes", "/api/v1/quotes", "/api/v1/unknown"):
                    client.get(path)

    with ThreadPoolExecutor(1) as threads:
        reading = threads.submit(read)
        try:
            yield
        finally:
            finished.set()
        reading.result()


def _values(monitored: MonitoredFleet, dashboard: str, panel: str) -> list[float]:
    """Return the current values of a panel."""
    chosen = [
        expression
        for expression in expressions(RATE_INTERVAL)
        if (expression.dashboard, expression.panel) == (dashboard, panel)
    ]
    return [value for expression in chosen for _, value in monitored.prometheus.query(expression.text)]


def test_rates_with_a_killed_worker_match_the_monitor(start_fleet: StartFleet) -> None:
    """The rate that Prometheus computes matches the runs that the monitor recorded, although Prometheus scrapes slowly
    and a worker is killed and replaced in between, whose counters restart at zero.
    """
    running = start_fleet(scrape_seconds=4)
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


def _run_steadily(monitored: MonitoredFleet, seconds: float) -> None:
    """Enqueue five runs per second."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        _enqueue(monitored)
        time.sleep(0.2)


def _enqueue(monitored: MonitoredFleet) -> None:
    """Enqueue a run of the crypto task as a plain dramatiq client would."""
    id = uuid.uuid4().hex
    message = Message("high", TASK, (), {"symbols": ["BTC-USD"]}, {"redis_message_id": id})
    with monitored.fleet.redis() as client:
        client.hset("dramatiq:high.msgs", id, message.encode())
        client.rpush("dramatiq:high", id)


def _succeeded(monitored: MonitoredFleet) -> int:
    with monitored.fleet.redis() as client:
        return TaskMonitor(client).get_all_stats()[TASK].succeeded
