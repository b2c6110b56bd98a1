"""Tests of the control endpoint and of the request counts."""

import time

import httpx
import pytest

from financehub_simulator.faults import FAULTS
from support.simulator import RunningSimulator


def test_request_counts_are_per_upstream_and_endpoint_until_reset(simulator: RunningSimulator, client: httpx.Client):
    """Every request is counted once under its documented path, or under `other` for an unknown path, until a reset."""
    for path in ("ticker/price?symbol=BTCUSDT", "ticker/price?symbol=NOPEUSDT", "klines", "nonsense"):
        client.get(f"{simulator.url('binance')}/api/v3/{path}")
    client.get(f"{simulator.url('yahoo')}/v8/finance/chart/AAPL")
    assert simulator.request_counts() == {
        "binance": {"/api/v3/ticker/price": 2, "/api/v3/klines": 1, "other": 1},
        "yahoo": {"/v8/finance/chart/{symbol}": 1},
    }
    assert simulator.request_counts("binance")["/api/v3/klines"] == 1
    assert simulator.request_counts("kraken") == {}
    simulator.reset()
    assert simulator.request_counts() == {}


def test_request_log_masks_secrets(simulator: RunningSimulator, client: httpx.Client):
    """The log contains each request's path, query and faults. Keys and crumbs are masked."""
    simulator.set_fault("html", "finnhub")
    client.get(f"{simulator.url('finnhub')}/api/v1/quote?symbol=AAPL&token=s3cret")
    (entry,) = simulator.request_log()
    assert entry == {
        "upstream": "finnhub",
        "endpoint": "/api/v1/quote",
        "path": "/finnhub/api/v1/quote",
        "query": "symbol=AAPL&token=%2A%2A%2A",
        "symbols": 1,
        "faults": ["html"],
    }


def test_set_latency_delays_responses_until_reset(simulator: RunningSimulator, client: httpx.Client):
    """The latency delays every response until the next reset."""
    simulator.set_latency(0.2)
    start = time.monotonic()
    client.get(f"{simulator.url('rss')}/cnbc")
    assert time.monotonic() - start >= 0.2
    simulator.reset()
    assert client.get(f"{simulator.base_url}/_control").json()["latency"] == 0


def test_catalog_lists_every_fault(simulator: RunningSimulator, client: httpx.Client):
    """The control endpoint lists every fault with its upstreams and parameters."""
    catalog = client.get(f"{simulator.base_url}/_control/catalog").json()
    assert catalog.keys() == FAULTS.keys()
    assert catalog["slow"]["parameters"] == {"seconds": 30.0}


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b"{", "Expecting property name"),
        (b"[]", "the body must look like"),
        (b'{"fault": "html"}', "the body must look like"),
        (b'{"fault": "boom", "upstream": "rss"}', "fault 'boom' does not exist"),
        (b'{"fault": "html", "upstream": "rss", "minutes": 3}', "has no parameter 'minutes'"),
        (b'{"latency": -1}', "must be a number of seconds from 0 to 600"),
        (b'{"latency": "NaN"}', "must be a number of seconds from 0 to 600"),
    ],
)
def test_control_request_with_an_invalid_body_gets_400(
    body: bytes, problem: str, simulator: RunningSimulator, client: httpx.Client
):
    """The control endpoint responds to an invalid request with 400 and a message that explains the error."""
    response = client.post(f"{simulator.base_url}/_control", content=body)
    assert response.status_code == 400
    assert problem in response.json()["error"]


def test_set_fault_at_a_wrong_upstream_raises_value_error(simulator: RunningSimulator):
    """`set_fault` raises the error that the control endpoint reports."""
    with pytest.raises(ValueError, match="does not occur at 'rss'"):
        simulator.set_fault("banned", "rss")
