"""The control endpoint and the counts that tests and benches assert on."""

import time

import httpx
import pytest

from financehub_simulator.faults import FAULTS
from financehub_simulator.testing import RunningSimulator


def test_requests_are_counted_per_upstream_and_endpoint(simulator: RunningSimulator, client: httpx.Client):
    """Every request counts once under its documented path, unknown paths under `other`, until the reset."""
    for path in ("ticker/price?symbol=BTCUSDT", "ticker/price?symbol=NOPEUSDT", "klines", "nonsense"):
        client.get(f"{simulator.url('binance')}/api/v3/{path}")
    client.get(f"{simulator.url('yahoo')}/v8/finance/chart/AAPL")
    assert simulator.requests() == {
        "binance": {"/api/v3/ticker/price": 2, "/api/v3/klines": 1, "other": 1},
        "yahoo": {"/v8/finance/chart/{symbol}": 1},
    }
    assert simulator.requests("binance")["/api/v3/klines"] == 1
    assert simulator.requests("kraken") == {}
    simulator.reset()
    assert simulator.requests() == {}


def test_log_tells_what_was_asked_and_no_secret(simulator: RunningSimulator, client: httpx.Client):
    """The log has path, query and faults of each request; keys and crumbs are masked."""
    simulator.fault("html", "finnhub")
    client.get(f"{simulator.url('finnhub')}/api/v1/quote?symbol=AAPL&token=s3cret")
    (entry,) = simulator.log()
    assert entry == {
        "upstream": "finnhub",
        "endpoint": "/api/v1/quote",
        "path": "/finnhub/api/v1/quote",
        "query": "symbol=AAPL&token=%2A%2A%2A",
        "symbols": 1,
        "faults": ["html"],
    }


def test_latency_can_be_set_and_is_taken_back(simulator: RunningSimulator, client: httpx.Client):
    """Every answer of every upstream waits for the set time, until the reset."""
    simulator.latency(0.2)
    began = time.monotonic()
    client.get(f"{simulator.url('rss')}/cnbc")
    assert time.monotonic() - began >= 0.2
    simulator.reset()
    assert client.get(f"{simulator.base_url}/_control").json()["latency"] == 0


def test_catalogue_can_be_read(simulator: RunningSimulator, client: httpx.Client):
    """The endpoint shows every fault with where it happens and what it takes."""
    shown = client.get(f"{simulator.base_url}/_control/catalogue").json()
    assert shown.keys() == FAULTS.keys()
    assert shown["slow"]["parameters"] == {"seconds": 30.0}


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b"{", "Expecting property name"),
        (b"[]", "the body must be like"),
        (b'{"fault": "html"}', "the body must be like"),
        (b'{"fault": "boom", "upstream": "rss"}', "fault 'boom' does not exist"),
        (b'{"fault": "html", "upstream": "rss", "minutes": 3}', "takes no parameter 'minutes'"),
        (b'{"latency": -1}', "must be seconds from 0 to 600"),
        (b'{"latency": "NaN"}', "must be seconds from 0 to 600"),
    ],
)
def test_mistakes_are_refused_with_what_is_allowed(
    body: bytes, problem: str, simulator: RunningSimulator, client: httpx.Client
):
    """A request the control endpoint cannot follow is a 400 that says why."""
    answer = client.post(f"{simulator.base_url}/_control", content=body)
    assert answer.status_code == 400
    assert problem in answer.json()["error"]


def test_python_api_raises_the_same_mistakes(simulator: RunningSimulator):
    """`fault` raises what the endpoint refuses."""
    with pytest.raises(ValueError, match="does not happen at 'rss'"):
        simulator.fault("banned", "rss")
