"""Tests of the upstreams' rate limits over HTTP, with a stopped clock."""

from collections.abc import Iterator

import httpx
import pytest

from support.simulator import RunningSimulator

#: The 10th second of a minute.
NOW = 1_795_000_030.0


@pytest.fixture(scope="module")
def _stopped_simulator() -> Iterator[RunningSimulator]:
    """The simulator for this module. Its clock always shows `NOW`."""
    with RunningSimulator(now=lambda: NOW) as running:
        yield running


@pytest.fixture
def stopped_simulator(_stopped_simulator: RunningSimulator) -> RunningSimulator:
    """A simulator with a stopped clock and unused rate limits."""
    _stopped_simulator.reset()
    return _stopped_simulator


#: Upstream, request, number of allowed requests, then status, text and Retry-After of the next one.
LIMITS = [
    ("coingecko", "/api/v3/simple/price?ids=bitcoin&vs_currencies=usd", 30, 429, "Rate Limit", "51"),
    ("kraken", "/0/public/Ticker?pair=XBTUSD", 15, 200, "EAPI:Rate limit exceeded", None),
    ("gdelt", "/api/v2/doc/doc?query=markets&mode=artlist&format=json", 1, 429, "one every 5 seconds", None),
    ("finnhub", "/api/v1/quote?symbol=AAPL&token=t", 30, 429, "API limit reached", None),
    ("binance", "/api/v3/ticker/price?symbol=BTCUSDT", 5, 429, '"code":-1003', "51"),
]


@pytest.mark.parametrize(
    ("upstream", "path", "allowed", "status", "text", "wait"), LIMITS, ids=[row[0] for row in LIMITS]
)
def test_request_beyond_the_rate_limit_is_rejected(
    upstream: str,
    path: str,
    allowed: int,
    status: int,
    text: str,
    wait: str | None,
    stopped_simulator: RunningSimulator,
    client: httpx.Client,
):
    """The documented number of requests succeeds. Until a reset, the next one is rejected as the upstream would do."""
    if upstream == "binance":
        _use_up(stopped_simulator, 6_000 - 2 * allowed)
    for _ in range(allowed):
        response = client.get(stopped_simulator.url(upstream) + path)
        assert text not in response.text
    rejected = client.get(stopped_simulator.url(upstream) + path)
    assert (rejected.status_code, rejected.headers.get("retry-after")) == (status, wait)
    assert text in rejected.text
    stopped_simulator.reset()
    assert text not in client.get(stopped_simulator.url(upstream) + path).text


def _use_up(stopped_simulator: RunningSimulator, weight: int) -> None:
    stopped_simulator.state.rate_limits.window("binance", 6_000, 60).take(NOW, weight)


WEIGHTS = [
    ("/api/v3/ticker/price?symbol=BTCUSDT", 2),
    ('/api/v3/ticker/price?symbols=["BTCUSDT","ETHUSDT"]', 4),
    ("/api/v3/ticker/price", 4),
    ("/api/v3/ticker/24hr?symbol=BTCUSDT", 2),
    ("/api/v3/ticker/24hr?symbols=[{20}]", 2),
    ("/api/v3/ticker/24hr?symbols=[{21}]", 40),
    ("/api/v3/ticker/24hr?symbols=[{100}]", 40),
    ("/api/v3/ticker/24hr?symbols=[{101}]", 80),
    ("/api/v3/ticker/24hr", 80),
    ("/api/v3/klines?symbol=BTCUSDT&interval=1d&limit=1", 2),
]


@pytest.mark.parametrize(("path", "weight"), WEIGHTS)
def test_binance_request_costs_its_documented_weight(
    path: str, weight: int, stopped_simulator: RunningSimulator, client: httpx.Client
):
    """Every Binance response reports the used weight, and each request costs its documented weight."""
    if "{" in path:
        head, count = path.split("[{")
        names = ",".join(f'"SIM{number:04d}USDT"' for number in range(1, int(count.split("}")[0]) + 1))
        path = f"{head}[{names}]"
    assert client.get(stopped_simulator.url("binance") + path).headers["x-mbx-used-weight-1m"] == str(weight)


def test_binance_request_far_beyond_the_limit_is_banned(stopped_simulator: RunningSimulator, client: httpx.Client):
    """A client that keeps sending requests after a 429 gets a 418 with a longer Retry-After."""
    _use_up(stopped_simulator, 6_600)
    banned = client.get(f"{stopped_simulator.url('binance')}/api/v3/ticker/price?symbol=BTCUSDT")
    assert (banned.status_code, banned.headers["retry-after"]) == (418, "120")


def test_requests_without_rate_limits_are_never_rejected(client: httpx.Client):
    """Without rate limits, every request succeeds."""
    with RunningSimulator(enforce_rate_limits=False, now=lambda: NOW) as simulator:
        responses = [
            client.get(f"{simulator.url('gdelt')}/api/v2/doc/doc?query=markets&mode=artlist&format=json&maxrecords=1")
            for _ in range(3)
        ]
    assert [response.status_code for response in responses] == [200, 200, 200]
