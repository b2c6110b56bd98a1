"""Tests of every fault in the catalog, at every upstream with that fault, as an HTTP client observes it."""

import gzip
import json
import math
import re
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation

import httpx
import pytest

from financehub_simulator.faults import FAULTS, UPSTREAM_NAMES, fault_cases
from financehub_simulator.upstreams.yahoo import crumb
from support.simulator import RunningSimulator

#: Upstream → a request whose response contains a price or articles.
REQUESTS: Mapping[str, str] = {
    "binance": "/api/v3/ticker/24hr?symbol=BTCUSDT",
    "coingecko": "/api/v3/simple/price?ids=bitcoin&vs_currencies=usd&include_last_updated_at=true",
    "kraken": "/0/public/Ticker?pair=XBTUSD",
    "yahoo": f"/v7/finance/quote?symbols=VOD.L&crumb={crumb(7)}",
    "finnhub": "/api/v1/quote?symbol=AAPL&token=t",
    "rss": "/cnbc",
    "gdelt": "/api/v2/doc/doc?query=markets&mode=artlist&format=json",
}
#: Upstream → path of the price in that response.
PRICES: Mapping[str, tuple[str | int, ...]] = {
    "binance": ("lastPrice",),
    "coingecko": ("bitcoin", "usd"),
    "kraken": ("result", "XXBTZUSD", "c", 0),
    "yahoo": ("quoteResponse", "result", 0, "regularMarketPrice"),
    "finnhub": ("c",),
}
#: Upstream → symbol of the asset in the upstream's spelling, and in ours.
SYMBOLS: Mapping[str, tuple[str, str]] = {
    "binance": ("BTCUSDT", "BTC-USD"),
    "coingecko": ("bitcoin", "BTC-USD"),
    "kraken": ("XBTUSD", "BTC-USD"),
    "yahoo": ("VOD.L", "vod.l"),
    "finnhub": ("AAPL", "AAPL"),
}
#: Fault → status, for faults with the same status at every upstream.
STATUS = {
    "banned": 418,
    "forbidden": 403,
    "no-access": 403,
    "country": 451,
    "access-denied": 403,
    "invalid-crumb": 401,
    "unauthorized": 401,
    "server-error": 500,
    "unavailable": 503,
    "body-error": 200,
    "html": 200,
    "will-be-right-back": 200,
}
#: Fault → text in the body, if it is more specific than the status.
TEXT = {
    "banned": "-1003",
    "country": "restricted location",
    "access-denied": "error code: 1020",
    "invalid-crumb": "Invalid Crumb",
    "body-error": "EService:Unavailable",
    "html": "<!DOCTYPE html>",
    "no-access": "You don't have access to this resource",
    "forbidden": "<!DOCTYPE html>",
    "will-be-right-back": "Will be right back",
}


def send(simulator: RunningSimulator, client: httpx.Client, upstream: str) -> httpx.Response:
    """Send the request of `REQUESTS` to an upstream."""
    return client.get(simulator.url(upstream) + REQUESTS[upstream])


def price_in(response: httpx.Response, upstream: str) -> Decimal | None:
    """Return the price in a response to the request of `REQUESTS`, or None if it is null."""
    value = json.loads(response.text, parse_float=Decimal, parse_int=Decimal, parse_constant=Decimal)
    for step in PRICES[upstream]:
        value = value[step]
    try:
        return None if value is None else Decimal(value)
    except InvalidOperation:
        raise AssertionError(f"{value!r} is not a price") from None


@pytest.mark.parametrize("upstream", UPSTREAM_NAMES)
def test_request_without_faults_succeeds(upstream: str, simulator: RunningSimulator, client: httpx.Client):
    """The requests of this suite succeed and return a price if there is no fault."""
    response = send(simulator, client, upstream)
    assert response.status_code == 200
    if upstream in PRICES:
        price = price_in(response, upstream)
        assert price is not None
        assert price > 0


@pytest.mark.parametrize(("upstream", "name"), [case for case in fault_cases("response") if case[1] != "rate-limited"])
def test_response_fault_returns_its_status_and_text(
    upstream: str, name: str, simulator: RunningSimulator, client: httpx.Client
):
    """A response fault returns its status and body text. After the set number of requests, the upstream works again."""
    simulator.set_fault(name, upstream, times=1)
    response = send(simulator, client, upstream)
    assert response.status_code == STATUS[name]
    assert TEXT.get(name, "") in response.text
    simulator.state.rate_limits.reset()
    assert send(simulator, client, upstream).status_code == 200


@pytest.mark.parametrize(("upstream", "name"), fault_cases("response"))
def test_response_fault_sends_the_set_retry_after(
    upstream: str, name: str, simulator: RunningSimulator, client: httpx.Client
):
    """Retry-After has the set number of seconds. It is absent for null and for faults without this parameter."""
    in_body = name == "rate-limited" and upstream == "kraken"
    if "retry_after" in FAULTS[name].defaults:
        simulator.set_fault(name, upstream, retry_after=17, times=1)
        assert send(simulator, client, upstream).headers.get("retry-after") == (None if in_body else "17")
        simulator.set_fault(name, upstream, retry_after=None)
    else:
        simulator.set_fault(name, upstream)
    assert "retry-after" not in send(simulator, client, upstream).headers


@pytest.mark.parametrize(
    ("upstream", "status", "text"),
    [
        ("binance", 429, '"code":-1003'),
        ("coingecko", 429, '"error_code":429'),
        ("kraken", 200, '{"error":["EAPI:Rate limit exceeded"]}'),
        ("yahoo", 429, "Too Many Requests"),
        ("finnhub", 429, "API limit reached"),
        ("rss", 429, "Too Many Requests"),
        ("gdelt", 429, "one every 5 seconds"),
    ],
)
def test_rate_limited_fault_has_the_form_of_the_upstream(
    upstream: str, status: int, text: str, simulator: RunningSimulator, client: httpx.Client
):
    """A rate limit is a 429 with the upstream's body, or an error in the body of a 200 response."""
    simulator.set_fault("rate-limited", upstream)
    response = send(simulator, client, upstream)
    assert response.status_code == status
    assert text in response.text


@pytest.mark.parametrize("upstream", UPSTREAM_NAMES)
def test_slow_fault_exceeds_a_shorter_timeout(upstream: str, simulator: RunningSimulator, client: httpx.Client):
    """A client whose timeout is shorter than the set delay gets a timeout."""
    simulator.set_fault("slow", upstream, seconds=30)
    with pytest.raises(httpx.ReadTimeout):
        client.get(simulator.url(upstream) + REQUESTS[upstream], timeout=httpx.Timeout(30, read=0.1))


@pytest.mark.parametrize(("name", "message"), [("cut", "incomplete|complete message"), ("disconnect", "disconnected")])
@pytest.mark.parametrize("upstream", UPSTREAM_NAMES)
def test_transport_fault_closes_the_connection(
    name: str, message: str, upstream: str, simulator: RunningSimulator, client: httpx.Client
):
    """The fault `cut` closes the connection during the body, and `disconnect` closes it before any response."""
    simulator.set_fault(name, upstream, times=1)
    with pytest.raises(httpx.RemoteProtocolError, match=message):
        send(simulator, client, upstream)


@pytest.mark.parametrize("upstream", UPSTREAM_NAMES)
def test_truncated_fault_returns_an_incomplete_document(
    upstream: str, simulator: RunningSimulator, client: httpx.Client
):
    """The HTTP message is complete and its length is correct, but its document cannot be parsed."""
    simulator.set_fault("truncated", upstream)
    response = send(simulator, client, upstream)
    assert response.status_code == 200
    assert len(response.content) == int(response.headers["content-length"]) > 0
    if upstream == "rss":
        assert "</rss>" not in response.text
    else:
        with pytest.raises(ValueError, match=r"Expecting|Unterminated|Invalid"):
            response.json()


@pytest.mark.parametrize("upstream", UPSTREAM_NAMES)
def test_blank_and_empty_faults_return_no_data(upstream: str, simulator: RunningSimulator, client: httpx.Client):
    """`blank` returns an empty body, and `empty` returns a valid document without any price or article."""
    simulator.set_fault("blank", upstream, times=1)
    assert send(simulator, client, upstream).content == b""
    simulator.set_fault("empty", upstream, times=1)
    simulator.state.rate_limits.reset()
    response = send(simulator, client, upstream)
    assert response.content
    if upstream == "rss":
        assert "<item>" not in response.text
    elif upstream == "finnhub":
        assert price_in(response, upstream) == 0
    else:
        assert not re.search(r"\d\.\d|url", json.dumps(response.json()))


@pytest.mark.parametrize("upstream", UPSTREAM_NAMES)
def test_oversized_fault_returns_a_valid_chunked_document(
    upstream: str, simulator: RunningSimulator, client: httpx.Client
):
    """The response has the set size and no Content-Length, and contains a valid document."""
    simulator.set_fault("oversized", upstream, megabytes=1)
    response = send(simulator, client, upstream)
    assert "content-length" not in response.headers
    assert len(response.content) > 1_000_000
    assert response.text.rstrip().endswith("</rss>") if upstream == "rss" else response.json()


@pytest.mark.parametrize("upstream", UPSTREAM_NAMES)
def test_zip_bomb_fault_sends_a_thousandth_of_its_size(
    upstream: str, simulator: RunningSimulator, client: httpx.Client
):
    """The transferred body is a thousandth of the size of the unpacked body."""
    simulator.set_fault("zip-bomb", upstream, megabytes=4)
    with client.stream("GET", simulator.url(upstream) + REQUESTS[upstream]) as response:
        packed = b"".join(response.iter_raw())
    assert response.headers["content-encoding"] == "gzip"
    assert len(packed) < 8_000
    assert len(gzip.decompress(packed)) == 4_000_000


def test_entity_bomb_fault_is_served_as_a_feed(simulator: RunningSimulator, client: httpx.Client):
    """The entity bomb has the media type of a feed and affects only the named feed."""
    simulator.set_fault("entity-bomb", "rss", symbol="cnbc")
    response = send(simulator, client, "rss")
    assert "rss+xml" in response.headers["content-type"]
    assert "<!ENTITY e10" in response.text
    assert "ENTITY" not in client.get(f"{simulator.url('rss')}/yahoo").text


WRONG_PRICES = {
    "x100": lambda right, wrong: abs(wrong / right - 100) < 1,
    "div100": lambda right, wrong: abs(wrong / right * 100 - 1) < Decimal("0.02"),
    "negative": lambda _right, wrong: wrong < 0,
    "zero": lambda _right, wrong: wrong == 0,
    "nan": lambda _right, wrong: wrong.is_nan(),
    "infinity": lambda _right, wrong: math.isinf(wrong),
    "huge": lambda _right, wrong: wrong > Decimal("9e307"),
    "null": lambda _right, wrong: wrong is None,
}


@pytest.mark.parametrize(("upstream", "name"), [case for case in fault_cases("data") if case[1] in WRONG_PRICES])
def test_data_fault_changes_the_price_of_the_named_symbol(
    upstream: str, name: str, simulator: RunningSimulator, client: httpx.Client
):
    """The response keeps its shape and has the wrong price for the named symbol, in either spelling."""
    right = price_in(send(simulator, client, upstream), upstream)
    for symbol in SYMBOLS[upstream]:
        simulator.set_fault(name, upstream, symbol=symbol, times=1)
        response = send(simulator, client, upstream)
        assert response.status_code == 200
        assert WRONG_PRICES[name](right, price_in(response, upstream))
    simulator.set_fault(name, upstream, symbol="OTHER")
    assert price_in(send(simulator, client, upstream), upstream) == pytest.approx(right, rel=Decimal("0.01"))


@pytest.mark.parametrize(
    ("upstream", "status", "text"),
    [
        ("binance", 400, '"code":-1121'),
        ("coingecko", 200, "{}"),
        ("kraken", 200, "EQuery:Unknown asset pair"),
        ("yahoo", 200, '{"quoteResponse":{"result":[],"error":null}}'),
        ("finnhub", 200, '"c":0,'),
    ],
)
def test_missing_fault_has_the_form_of_an_unknown_symbol(
    upstream: str, status: int, text: str, simulator: RunningSimulator, client: httpx.Client
):
    """The response for a missing symbol equals the response for a symbol that the upstream has never listed."""
    simulator.set_fault("missing", upstream, symbol=SYMBOLS[upstream][0])
    response = send(simulator, client, upstream)
    assert response.status_code == status
    assert text in response.text


#: Upstream → path of the price's timestamp in the response, and seconds per unit.
TIMES: Mapping[str, tuple[tuple[str | int, ...], float]] = {
    "binance": (("closeTime",), 0.001),
    "coingecko": (("bitcoin", "last_updated_at"), 1),
    "yahoo": (("quoteResponse", "result", 0, "regularMarketTime"), 1),
    "finnhub": (("t",), 1),
}


@pytest.mark.parametrize("upstream", TIMES)
def test_stale_fault_returns_a_price_from_three_days_ago(
    upstream: str, simulator: RunningSimulator, client: httpx.Client
):
    """The price and its timestamp are three days old. Kraken and Binance's plain ticker report no timestamp."""

    def price_time() -> float:
        value = send(simulator, client, upstream).json()
        path, unit = TIMES[upstream]
        for step in path:
            value = value[step]
        return float(value) * unit

    fresh = price_time()
    simulator.set_fault("stale", upstream)
    assert fresh - price_time() >= 2 * 86_400


@pytest.mark.parametrize(
    ("upstream", "offers"), [("binance", ("bidPrice", "askPrice", "count")), ("kraken", ("a", "b", "t"))]
)
def test_no_trade_fault_leaves_only_the_last_price(
    upstream: str, offers: tuple[str, ...], simulator: RunningSimulator, client: httpx.Client
):
    """A pair that nobody trades keeps its price and its time, and has neither trades nor offers."""
    right = price_in(send(simulator, client, upstream), upstream)
    simulator.set_fault("no-trade", upstream)
    response = send(simulator, client, upstream)
    assert price_in(response, upstream) == pytest.approx(right, rel=Decimal("0.01"))
    body = response.json()
    ticker = body["result"]["XXBTZUSD"] if upstream == "kraken" else body
    values = [value for name in offers for value in (ticker[name] if upstream == "kraken" else [ticker[name]])]
    assert {float(value) for value in values} == {0}


def test_bad_escape_fault_damages_one_title(simulator: RunningSimulator, client: httpx.Client):
    """One title makes the whole document invalid JSON, and the rest of the document is unchanged."""
    simulator.set_fault("bad-escape", "gdelt", times=1)
    response = send(simulator, client, "gdelt")
    with pytest.raises(ValueError, match="escape"):
        response.json()
    assert json.loads(response.text.replace("\\u p ", ""))["articles"]


def test_wrong_unit_fault_swaps_pence_and_pounds(simulator: RunningSimulator, client: httpx.Client):
    """The price stays the same, and its currency is the other unit in quotes and charts."""
    simulator.set_fault("wrong-unit", "yahoo")
    (quote,) = send(simulator, client, "yahoo").json()["quoteResponse"]["result"]
    chart = client.get(f"{simulator.url('yahoo')}/v8/finance/chart/AAPL").json()["chart"]["result"][0]
    assert (quote["currency"], chart["meta"]["currency"]) == ("GBP", "GBp")


BARS = [
    ("binance", "/api/v3/klines?symbol=BTCUSDT&interval=1d&limit=40", lambda body: [float(row[4]) for row in body]),
    (
        "kraken",
        "/0/public/OHLC?pair=XBTUSD&interval=1440",
        lambda body: [float(row[4]) for row in body["result"]["XXBTZUSD"]],
    ),
    (
        "yahoo",
        "/v8/finance/chart/AAPL?range=3mo",
        lambda body: body["chart"]["result"][0]["indicators"]["quote"][0]["close"],
    ),
]


@pytest.mark.parametrize(("upstream", "path", "closes"), BARS, ids=[row[0] for row in BARS])
def test_data_fault_changes_one_bar_in_ten(
    upstream: str, path: str, closes: object, simulator: RunningSimulator, client: httpx.Client
):
    """As in real histories, individual days are wrong by the factor, and the other days are correct."""
    assert callable(closes)
    right = closes(client.get(simulator.url(upstream) + path).json())
    simulator.set_fault("x100", upstream)
    wrong = closes(client.get(simulator.url(upstream) + path).json())
    ratios = [round(after / before) for before, after in zip(right, wrong, strict=True)]
    assert set(ratios) == {1, 100}
    assert 0.02 < ratios.count(100) / len(ratios) < 0.2


def test_two_faults_combine_and_are_listed_with_their_hits(simulator: RunningSimulator, client: httpx.Client):
    """Two active faults both take effect, and the control endpoint lists them with the number of affected requests."""
    simulator.set_fault("x100", "binance")
    simulator.set_fault("truncated", "binance", endpoint="/api/v3/ticker")
    send(simulator, client, "binance")
    listed = client.get(f"{simulator.base_url}/_control").json()["faults"]
    assert [(fault["fault"], fault["hits"], fault["times"]) for fault in listed] == [
        ("x100", 1, None),
        ("truncated", 1, None),
    ]
    assert client.get(f"{simulator.url('binance')}/api/v3/klines?symbol=BTCUSDT&interval=1d&limit=1").json()
    simulator.reset()
    assert client.get(f"{simulator.base_url}/_control").json()["faults"] == []
