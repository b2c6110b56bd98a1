"""Every expression of every panel, evaluated by a real Prometheus that scrapes a real fleet."""

import math
import time
import uuid

import pytest
from dramatiq import Message

from financehub_shared.monitor import TaskMonitor
from integration.monitoring.conftest import StartWatched, Watched
from support.dashboards import Expression, expressions
from support.fleet import eventually

TASK = "fetch_crypto_prices_task"
#: As Grafana computes it: four scrapes.
RATE_INTERVAL = {"__rate_interval": "10s", "__interval": "1s", "__range": "60s"}
#: Panels that are empty while all is well, and that the faults of this test fill.
MOVED_BY_FAULTS = {
    "Active alerts",
    "Top reasons of quarantine",
    "Failed requests by outcome",
    "Failures in a row",
    "Exceptions",
    "Dead letters by reason",
}
#: These may be below zero: a clock that is behind, a budget that is spent, a due time that has just passed.
SIGNED = ("skew", "budget left", "due in")


def _problem(watched: Watched, one: Expression) -> str:
    """What is wrong with the result of one expression; empty if nothing is."""
    if one.instant:
        values = [value for _, value in watched.prometheus.query(one.text)]
    else:
        values = [value for _, series in watched.prometheus.query_range(one.text, 30) for value in series]
    finite = [value for value in values if math.isfinite(value)]
    where = f"{one.dashboard} / {one.panel} / {one.legend}: {one.text}"
    if not finite:
        return "" if one.may_be_empty else f"{where} has no answer, and its no-value text says {one.no_value!r}"
    if min(finite) < 0 and not any(word in f"{one.panel} {one.legend}".lower() for word in SIGNED):
        return f"{where} is {min(finite)}, below zero"
    return ""


def _problems(watched: Watched) -> list[str]:
    return [problem for one in expressions(RATE_INTERVAL) if (problem := _problem(watched, one))]


def _until_every_panel_answers(watched: Watched) -> None:
    limit = time.monotonic() + 60
    while problems := _problems(watched):
        assert time.monotonic() < limit, "\n".join(problems)
        time.sleep(1)


def test_every_panel_answers_on_a_fleet_that_has_seen_good_and_bad_times(watched: StartWatched) -> None:
    """After normal work of all tiers, wrong data, a provider that is down, a dead letter and a killed worker, each
    expression has a plausible result, or its panel says that an empty result is fine.
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
    running.kill("high")
    running.until_firing("FinanceHubTierWithoutWorker")
    fleet.start_tier("high")
    running.scrape()
    _until_every_panel_answers(running)
    # panels that are empty only in good times are not empty now
    bad_times = [one for one in expressions(RATE_INTERVAL) if one.panel in MOVED_BY_FAULTS]
    assert {one.panel for one in bad_times} == MOVED_BY_FAULTS
    assert [one.text for one in bad_times if not running.prometheus.query_range(one.text, 90)] == []


@pytest.mark.parametrize(("scrape_seconds", "tolerance"), [(1, 0.1), (3, 0.25)])
def test_rates_are_those_of_the_monitor(watched: StartWatched, scrape_seconds: int, tolerance: float) -> None:
    """The rate that Prometheus computes is that of the runs that the fleet's monitor recorded, however slowly it
    scrapes, and even if a worker is killed and replaced in between (its counters start at zero again).
    """
    running = watched(scrape_seconds=scrape_seconds)
    running.start("high", "low")
    began = time.monotonic()
    _run_steadily(running, 4 * scrape_seconds + 8)
    running.kill("high")
    running.fleet.start_tier("high")
    running.scrape()
    _run_steadily(running, 4 * scrape_seconds + 8)
    window = time.monotonic() - began
    outcome = 'actor="fetch_crypto_prices_task",outcome="succeeded"'
    rate = running.prometheus.value(f"sum(increase(financehub_messages_total{{{outcome}}}[{round(window)}s]))")
    assert rate == pytest.approx(_succeeded(running), rel=tolerance)


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
