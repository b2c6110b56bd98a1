"""The catalogue of faults, and the state of those that are active."""

import math
from collections.abc import Callable

import pytest

from financehub_simulator.core import FaultRefusedError, Simulator, distort, scaled
from financehub_simulator.faults import FAULTS, UPSTREAMS, FaultSpec, cases
from financehub_simulator.serving import COMMON_FAILURES
from financehub_simulator.upstreams.catalog import ALL

KINDS = {"answer", "transport", "body", "data"}
#: `kind` of every ProviderError an upstream can cause, and `quarantine` for what validation finds.
ERRORS = {"timeout", "rate-limited", "auth", "blocked", "upstream", "not-found", "malformed", "stale", "quarantine"}


@pytest.mark.parametrize("spec", FAULTS.values(), ids=lambda spec: spec.name)
def test_catalogue_entry_is_complete(spec: FaultSpec):
    """Every fault has a kind, an error class of the taxonomy, and upstreams that exist."""
    assert spec.kind in KINDS
    assert spec.error in ERRORS
    assert spec.upstreams
    assert set(spec.upstreams) <= set(UPSTREAMS)
    assert spec.summary


def test_catalogue_and_upstreams_name_the_same_services():
    """The faults' upstreams are those that are served."""
    assert {upstream.name for upstream in ALL} == set(UPSTREAMS)


@pytest.mark.parametrize(("upstream", "name"), cases("answer"))
def test_every_answer_fault_can_be_answered(upstream: str, name: str):
    """An answer fault is either common or has an answer of its upstream's own."""
    own = next(found for found in ALL if found.name == upstream)
    assert name in own.failures or name in COMMON_FAILURES


@pytest.mark.parametrize(
    ("arguments", "parameters", "problem"),
    [
        (("boom", "binance"), {}, "fault 'boom' does not exist; there are: rate-limited"),
        (("banned", "kraken"), {}, "does not happen at 'kraken'; it does at: binance"),
        (("slow", "rss"), {"minutes": 1}, "takes no parameter 'minutes'; it takes: seconds"),
        (("slow", "rss"), {"seconds": "long"}, "seconds='long': must be a number"),
        (("slow", "rss"), {"times": 0}, "times=0: must be 1 or more"),
        (("slow", "rss"), {"times": "two"}, "times='two': must be 1 or more"),
        (("slow", "rss"), {"symbol": 5}, "symbol=5: must be text"),
    ],
)
def test_fault_that_cannot_be_is_refused_with_what_can(
    arguments: tuple[str, str], parameters: dict[str, object], problem: str
):
    """A mistake in setting a fault names the mistake and what is allowed."""
    with pytest.raises(FaultRefusedError, match=problem.replace("'", ".")):
        Simulator().set_fault(*arguments, **parameters)


def test_fault_meets_the_requests_it_is_meant_for():
    """Upstream, endpoint and symbol narrow a fault; either spelling of a symbol counts."""
    sim = Simulator()
    sim.set_fault("html", "binance", symbol="BTC-USD", endpoint="/api/v3/ticker")
    assert not sim.matching("kraken", "/api/v3/ticker/price", ["BTC-USD"])
    assert not sim.matching("binance", "/api/v3/klines", ["BTC-USD"])
    assert not sim.matching("binance", "/api/v3/ticker/price", ["ETHUSDT", "ETH-USD"])
    assert sim.matching("binance", "/api/v3/ticker/price", ["BTCUSDT", "BTC-USD"])


def test_fault_for_n_requests_ends_after_n():
    """`times` counts the requests that meet the fault, then it is gone."""
    sim = Simulator()
    sim.set_fault("html", "rss", times=2)
    met = [bool(sim.matching("rss", "/{feed}", ["cnbc"])) for _ in range(3)]
    assert met == [True, True, False]
    assert sim.faults == []


def test_reset_forgets_faults_counts_limits_and_latency():
    """After a reset the simulator is as at its start."""
    sim = Simulator(latency=0.01)
    sim.set_fault("html", "rss")
    sim.counts["rss", "/{feed}"] += 1
    sim.limits.gdelt.take(1.0)
    sim.latency = 5
    sim.reset()
    assert (sim.faults, dict(sim.counts), sim.latency) == ([], {}, 0.01)
    assert sim.limits.gdelt.take(1.0) is None


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
def test_data_fault_distorts_prices_and_nothing_else(name: str, expected: Callable[[float], float]):
    """Open, high, low and close carry the wrong figure; day, volume and previous close stay."""
    sim = Simulator()
    bar = sim.market.today("BTC-USD", 1.8e9)
    wrong = distort(bar, [sim.set_fault(name, "binance")])
    for column in ("open", "high", "low", "close"):
        assert getattr(wrong, column) == expected(getattr(bar, column))
    assert (wrong.day, wrong.volume, wrong.previous_close) == (bar.day, bar.volume, bar.previous_close)


def test_nan_fault_makes_every_price_nan():
    """NaN is the one value that cannot be compared with an expected one."""
    sim = Simulator()
    wrong = distort(sim.market.today("BTC-USD", 1.8e9), [sim.set_fault("nan", "kraken")])
    assert all(math.isnan(value) for value in (wrong.open, wrong.high, wrong.low, wrong.close))


def test_scaling_back_restores_a_bar():
    """Scaling by a power of two and back loses nothing."""
    bar = Simulator().market.today("AAPL", 1.8e9)
    assert scaled(scaled(bar, 4, 2), 0.25, 0.5) == bar
