"""The upstreams' own rate limits, over HTTP, at a clock that stands still."""

from collections.abc import Iterator

import httpx
import pytest

from financehub_simulator.testing import RunningSimulator

#: The 10th second of a minute.
NOW = 1_795_000_030.0


@pytest.fixture(scope="module")
def _still() -> Iterator[RunningSimulator]:
    with RunningSimulator(now=lambda: NOW) as running:
        yield running


@pytest.fixture
def still(_still: RunningSimulator) -> RunningSimulator:
    _still.reset()
    return _still


#: Upstream, request, how many are granted, status and text of the one after, its Retry-After.
LIMITS = [
    ("coingecko", "/api/v3/simple/price?ids=bitcoin&vs_currencies=usd", 30, 429, "Rate Limit", "51"),
    ("kraken", "/0/public/Ticker?pair=XBTUSD", 15, 200, "EAPI:Rate limit exceeded", None),
    ("gdelt", "/api/v2/doc/doc?query=markets&mode=artlist&format=json", 1, 429, "one every 5 seconds", None),
    ("finnhub", "/api/v1/quote?symbol=AAPL&token=t", 30, 429, "API limit reached", None),
    ("binance", "/api/v3/ticker/price?symbol=BTCUSDT", 5, 429, '"code":-1003', "51"),
]


@pytest.mark.parametrize(
    ("upstream", "path", "granted", "status", "text", "wait"), LIMITS, ids=[row[0] for row in LIMITS]
)
def test_limit_is_the_documented_one(
    upstream: str,
    path: str,
    granted: int,
    status: int,
    text: str,
    wait: str | None,
    still: RunningSimulator,
    client: httpx.Client,
):
    """As many requests as the limit allows are answered, the next is refused in the upstream's own way."""
    if upstream == "binance":
        _use_up(still, 6_000 - 2 * granted)
    for _ in range(granted):
        answer = client.get(still.url(upstream) + path)
        assert text not in answer.text
    refused = client.get(still.url(upstream) + path)
    assert (refused.status_code, refused.headers.get("retry-after")) == (status, wait)
    assert text in refused.text
    still.reset()
    assert text not in client.get(still.url(upstream) + path).text


def _use_up(still: RunningSimulator, weight: int) -> None:
    still._sim.limits.binance.take(NOW, weight)


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
def test_binance_weights(path: str, weight: int, still: RunningSimulator, client: httpx.Client):
    """Every answer says how much weight the minute has used, and each request costs what is documented."""
    if "{" in path:
        head, count = path.split("[{")
        names = ",".join(f'"SIM{number:04d}USDT"' for number in range(1, int(count.split("}")[0]) + 1))
        path = f"{head}[{names}]"
    assert client.get(still.url("binance") + path).headers["x-mbx-used-weight-1m"] == str(weight)


def test_binance_bans_who_goes_on(still: RunningSimulator, client: httpx.Client):
    """Whoever keeps asking after 429 gets 418 with a longer Retry-After."""
    _use_up(still, 6_600)
    banned = client.get(f"{still.url('binance')}/api/v3/ticker/price?symbol=BTCUSDT")
    assert (banned.status_code, banned.headers["retry-after"]) == (418, "120")


def test_limits_can_be_switched_off(client: httpx.Client):
    """Without limits nothing is refused, however much is asked."""
    with RunningSimulator(limited=False, now=lambda: NOW) as free:
        answers = [
            client.get(f"{free.url('gdelt')}/api/v2/doc/doc?query=markets&mode=artlist&format=json&maxrecords=1")
            for _ in range(3)
        ]
    assert [answer.status_code for answer in answers] == [200, 200, 200]
