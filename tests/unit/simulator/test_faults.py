"""Tests of the fault catalog and of the state of active faults."""

import math
from collections.abc import Callable

import pytest

from financehub_simulator.call import apply_data_faults, scale_prices
from financehub_simulator.faults import FAULTS, UPSTREAM_NAMES, FaultSpec, fault_cases
from financehub_simulator.responses import COMMON_FAULT_RESPONSES
from financehub_simulator.state import FaultRefusedError, Simulator
from financehub_simulator.upstreams.catalog import ALL_UPSTREAMS
from financehub_simulator.upstreams.table import UPSTREAM_ROWS

KINDS = {"response", "transport", "body", "data"}
#: The kinds of `ProviderError` that an upstream can cause, and `quarantine` for data that validation rejects.
ERRORS = {"timeout", "rate-limited", "auth", "blocked", "upstream", "not-found", "malformed", "stale", "quarantine"}


@pytest.mark.parametrize("spec", FAULTS.values(), ids=lambda spec: spec.name)
def test_catalog_entry_has_valid_fields(spec: FaultSpec):
    """Every fault has a known kind, an error kind, a summary and existing upstreams."""
    assert spec.kind in KINDS
    assert spec.error in ERRORS
    assert spec.upstreams
    assert set(spec.upstreams) <= set(UPSTREAM_NAMES)
    assert spec.summary


def test_every_row_of_the_table_has_an_upstream_of_its_name():
    """The module in a row defines the upstream with the row's name."""
    assert [upstream.name for upstream in ALL_UPSTREAMS] == [row.name for row in UPSTREAM_ROWS]


@pytest.mark.parametrize(("upstream", "name"), fault_cases("response"))
def test_every_response_fault_has_a_response(upstream: str, name: str):
    """Every fault of kind `response` has an upstream-specific response or a common one."""
    simulated = next(candidate for candidate in ALL_UPSTREAMS if candidate.name == upstream)
    assert name in simulated.fault_responses or name in COMMON_FAULT_RESPONSES


@pytest.mark.parametrize(
    ("arguments", "parameters", "problem"),
    [
        (("boom", "binance"), {}, "fault 'boom' does not exist; choose one of: rate-limited"),
        (("banned", "kraken"), {}, "does not occur at 'kraken'; choose one of: binance"),
        (("slow", "rss"), {"minutes": 1}, "has no parameter 'minutes'; allowed parameters: seconds"),
        (("slow", "rss"), {"seconds": "long"}, "seconds='long': must be a number"),
        (("slow", "rss"), {"times": 0}, "times=0: must be 1 or more"),
        (("slow", "rss"), {"times": "two"}, "times='two': must be 1 or more"),
        (("slow", "rss"), {"symbol": 5}, "symbol=5: must be a string"),
    ],
)
def test_set_fault_with_invalid_arguments_names_the_valid_ones(
    arguments: tuple[str, str], parameters: dict[str, object], problem: str
):
    """The error names the invalid argument and lists the valid ones."""
    with pytest.raises(FaultRefusedError, match=problem.replace("'", ".")):
        Simulator().set_fault(*arguments, **parameters)


def test_match_faults_respects_upstream_endpoint_and_symbol():
    """A fault affects only requests to its upstream and endpoint that contain its symbol, in either spelling."""
    simulator = Simulator()
    simulator.set_fault("html", "binance", symbol="BTC-USD", endpoint="/api/v3/ticker")
    assert not simulator.match_faults("kraken", "/api/v3/ticker/price", ["BTC-USD"])
    assert not simulator.match_faults("binance", "/api/v3/klines", ["BTC-USD"])
    assert not simulator.match_faults("binance", "/api/v3/ticker/price", ["ETHUSDT", "ETH-USD"])
    assert simulator.match_faults("binance", "/api/v3/ticker/price", ["BTCUSDT", "BTC-USD"])


def test_fault_with_times_ends_after_that_many_requests():
    """A fault with `times` affects that many requests and is then removed."""
    simulator = Simulator()
    simulator.set_fault("html", "rss", times=2)
    affected = [bool(simulator.match_faults("rss", "/{feed}", ["cnbc"])) for _ in range(3)]
    assert affected == [True, True, False]
    assert simulator.faults == []


def test_reset_restores_the_initial_state():
    """A reset clears faults, request counts and used rate limits, and restores the initial latency."""
    simulator = Simulator(latency=0.01)
    simulator.set_fault("html", "rss")
    simulator.request_counts["rss", "/{feed}"] += 1
    simulator.rate_limits.minimum_interval("gdelt", 5).take(1.0)
    simulator.latency = 5
    simulator.reset()
    assert (simulator.faults, dict(simulator.request_counts), simulator.latency) == ([], {}, 0.01)
    assert simulator.rate_limits.minimum_interval("gdelt", 5).take(1.0) is None


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("x100", lambda price: price * 100),
        ("div100", lambda price: price * 0.01),
        ("negative", lambda price: -price),
        ("zero", lambda _price: 0.0),
        ("infinity", lambda _price: math.inf),
        ("huge", lambda _price: 1e308),
    ],
)
def test_data_fault_changes_only_prices(name: str, expected: Callable[[float], float]):
    """A data fault changes open, high, low and close, and keeps the day, volume and previous close."""
    simulator = Simulator()
    bar = simulator.market.current_day("BTC-USD", 1.8e9)
    wrong = apply_data_faults(bar, [simulator.set_fault(name, "binance")])
    for column in ("open", "high", "low", "close"):
        assert getattr(wrong, column) == expected(getattr(bar, column))
    assert (wrong.day, wrong.volume, wrong.previous_close) == (bar.day, bar.volume, bar.previous_close)


def test_nan_fault_makes_every_price_nan():
    """The fault `nan` replaces all four prices with NaN."""
    simulator = Simulator()
    wrong = apply_data_faults(simulator.market.current_day("BTC-USD", 1.8e9), [simulator.set_fault("nan", "kraken")])
    assert all(math.isnan(value) for value in (wrong.open, wrong.high, wrong.low, wrong.close))


def test_scale_prices_with_inverse_factors_restores_the_bar():
    """Scaling by a power of two and back loses no precision."""
    bar = Simulator().market.current_day("AAPL", 1.8e9)
    assert scale_prices(scale_prices(bar, 4, 2), 0.25, 0.5) == bar
