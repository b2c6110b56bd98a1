"""Every fault of the catalogue, at every upstream it happens at, as an HTTP client meets it."""

import gzip
import json
import math
import re
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation

import httpx
import pytest

from financehub_simulator.faults import FAULTS, UPSTREAMS, cases
from financehub_simulator.testing import RunningSimulator
from financehub_simulator.upstreams.yahoo import crumb

#: Upstream → a request with a price (or articles) in its answer.
REQUESTS: Mapping[str, str] = {
    "binance": "/api/v3/ticker/24hr?symbol=BTCUSDT",
    "coingecko": "/api/v3/simple/price?ids=bitcoin&vs_currencies=usd&include_last_updated_at=true",
    "kraken": "/0/public/Ticker?pair=XBTUSD",
    "yahoo": f"/v7/finance/quote?symbols=VOD.L&crumb={crumb(7)}",
    "finnhub": "/api/v1/quote?symbol=AAPL&token=t",
    "rss": "/cnbc",
    "gdelt": "/api/v2/doc/doc?query=markets&mode=artlist&format=json",
}
#: Upstream → where the price is in that answer.
PRICES: Mapping[str, tuple[str | int, ...]] = {
    "binance": ("lastPrice",),
    "coingecko": ("bitcoin", "usd"),
    "kraken": ("result", "XXBTZUSD", "c", 0),
    "yahoo": ("quoteResponse", "result", 0, "regularMarketPrice"),
    "finnhub": ("c",),
}
#: Upstream → the name of the asset there, and ours.
SYMBOLS: Mapping[str, tuple[str, str]] = {
    "binance": ("BTCUSDT", "BTC-USD"),
    "coingecko": ("bitcoin", "BTC-USD"),
    "kraken": ("XBTUSD", "BTC-USD"),
    "yahoo": ("VOD.L", "vod.l"),
    "finnhub": ("AAPL", "AAPL"),
}
#: Fault → status where every upstream answers alike.
STATUS = {
    "banned": 418,
    "forbidden": 403,
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
#: Fault → text in the body, where it says more than the status.
TEXT = {
    "banned": "-1003",
    "country": "restricted location",
    "access-denied": "error code: 1020",
    "invalid-crumb": "Invalid Crumb",
    "body-error": "EService:Unavailable",
    "html": "<!DOCTYPE html>",
    "forbidden": "<!DOCTYPE html>",
    "will-be-right-back": "Will be right back",
}


def ask(simulator: RunningSimulator, client: httpx.Client, upstream: str) -> httpx.Response:
    # The limits stand between a test and what it looks at only where requests are rare.
    return client.get(simulator.url(upstream) + REQUESTS[upstream])


def price(answer: httpx.Response, upstream: str) -> Decimal | None:
    value = json.loads(answer.text, parse_float=Decimal, parse_int=Decimal, parse_constant=Decimal)
    for step in PRICES[upstream]:
        value = value[step]
    try:
        return None if value is None else Decimal(value)
    except InvalidOperation:
        raise AssertionError(f"{value!r} is no price") from None


@pytest.mark.parametrize("upstream", UPSTREAMS)
def test_request_is_answered_without_faults(upstream: str, simulator: RunningSimulator, client: httpx.Client):
    """The requests of this suite are answered in full when nothing is wrong."""
    answer = ask(simulator, client, upstream)
    assert answer.status_code == 200
    if upstream in PRICES:
        found = price(answer, upstream)
        assert found is not None
        assert found > 0


@pytest.mark.parametrize(("upstream", "name"), [case for case in cases("answer") if case[1] != "rate-limited"])
def test_answer_fault_has_its_status_and_words(
    upstream: str, name: str, simulator: RunningSimulator, client: httpx.Client
):
    """A failing upstream answers with its own status and text, and is well again after the set number of times."""
    simulator.fault(name, upstream, times=1)
    answer = ask(simulator, client, upstream)
    assert answer.status_code == STATUS[name]
    assert TEXT.get(name, "") in answer.text
    simulator._sim.limits.clear()
    assert ask(simulator, client, upstream).status_code == 200


@pytest.mark.parametrize(("upstream", "name"), cases("answer"))
def test_retry_after_is_what_was_set(upstream: str, name: str, simulator: RunningSimulator, client: httpx.Client):
    """Retry-After carries the set number of seconds; set to null, and where a fault has none, there is no header."""
    in_body = name == "rate-limited" and upstream == "kraken"
    if "retry_after" in FAULTS[name].defaults:
        simulator.fault(name, upstream, retry_after=17, times=1)
        assert ask(simulator, client, upstream).headers.get("retry-after") == (None if in_body else "17")
        simulator.fault(name, upstream, retry_after=None)
    else:
        simulator.fault(name, upstream)
    assert "retry-after" not in ask(simulator, client, upstream).headers


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
def test_rate_limit_is_each_upstreams_own(
    upstream: str, status: int, text: str, simulator: RunningSimulator, client: httpx.Client
):
    """'Slow down' is a 429 with a body of the upstream's own, or hidden in the body at 200."""
    simulator.fault("rate-limited", upstream)
    answer = ask(simulator, client, upstream)
    assert answer.status_code == status
    assert text in answer.text


@pytest.mark.parametrize("upstream", UPSTREAMS)
def test_slow_answer_comes_too_late(upstream: str, simulator: RunningSimulator, client: httpx.Client):
    """A client that waits less than the fault's seconds gives up."""
    simulator.fault("slow", upstream, seconds=2)
    with pytest.raises(httpx.ReadTimeout):
        client.get(simulator.url(upstream) + REQUESTS[upstream], timeout=0.1)


@pytest.mark.parametrize(("name", "words"), [("cut", "incomplete|complete message"), ("disconnect", "disconnected")])
@pytest.mark.parametrize("upstream", UPSTREAMS)
def test_connection_ends_where_the_fault_says(
    name: str, words: str, upstream: str, simulator: RunningSimulator, client: httpx.Client
):
    """A cut connection ends within the body, a disconnect before any answer: a protocol error to the client."""
    simulator.fault(name, upstream, times=1)
    with pytest.raises(httpx.RemoteProtocolError, match=words):
        ask(simulator, client, upstream)


@pytest.mark.parametrize("upstream", UPSTREAMS)
def test_truncated_document_is_half_of_a_complete_answer(
    upstream: str, simulator: RunningSimulator, client: httpx.Client
):
    """The message is complete, its length right, and its document cannot be parsed."""
    simulator.fault("truncated", upstream)
    answer = ask(simulator, client, upstream)
    assert answer.status_code == 200
    assert len(answer.content) == int(answer.headers["content-length"]) > 0
    if upstream == "rss":
        assert "</rss>" not in answer.text
    else:
        with pytest.raises(ValueError, match=r"Expecting|Unterminated|Invalid"):
            answer.json()


@pytest.mark.parametrize("upstream", UPSTREAMS)
def test_blank_and_empty_answers(upstream: str, simulator: RunningSimulator, client: httpx.Client):
    """A blank answer has no byte; an empty one is well-formed and holds no price and no article."""
    simulator.fault("blank", upstream, times=1)
    assert ask(simulator, client, upstream).content == b""
    simulator.fault("empty", upstream, times=1)
    simulator._sim.limits.clear()
    answer = ask(simulator, client, upstream)
    assert answer.content
    if upstream == "rss":
        assert "<item>" not in answer.text
    elif upstream == "finnhub":
        assert price(answer, upstream) == 0
    else:
        assert not re.search(r"\d\.\d|url", json.dumps(answer.json()))


@pytest.mark.parametrize("upstream", UPSTREAMS)
def test_oversized_answer_is_chunked_and_still_valid(upstream: str, simulator: RunningSimulator, client: httpx.Client):
    """No Content-Length warns of the size that was set, and a client that reads it all gets a valid document."""
    simulator.fault("oversized", upstream, megabytes=1)
    answer = ask(simulator, client, upstream)
    assert "content-length" not in answer.headers
    assert len(answer.content) > 1_000_000
    assert answer.text.rstrip().endswith("</rss>") if upstream == "rss" else answer.json()


@pytest.mark.parametrize("upstream", UPSTREAMS)
def test_zip_bomb_is_small_on_the_wire(upstream: str, simulator: RunningSimulator, client: httpx.Client):
    """What the client is sent is a thousandth of what it would unpack."""
    simulator.fault("zip-bomb", upstream, megabytes=4)
    with client.stream("GET", simulator.url(upstream) + REQUESTS[upstream]) as answer:
        packed = b"".join(answer.iter_raw())
    assert answer.headers["content-encoding"] == "gzip"
    assert len(packed) < 8_000
    assert len(gzip.decompress(packed)) == 4_000_000


def test_entity_bomb_is_served_as_a_feed(simulator: RunningSimulator, client: httpx.Client):
    """The bomb comes with a feed's media type."""
    simulator.fault("entity-bomb", "rss", symbol="cnbc")
    answer = ask(simulator, client, "rss")
    assert "rss+xml" in answer.headers["content-type"]
    assert "<!ENTITY e10" in answer.text
    assert "ENTITY" not in client.get(f"{simulator.url('rss')}/yahoo").text


WRONG = {
    "x100": lambda right, wrong: abs(wrong / right - 100) < 1,
    "div100": lambda right, wrong: abs(wrong / right * 100 - 1) < Decimal("0.02"),
    "negative": lambda _right, wrong: wrong < 0,
    "zero": lambda _right, wrong: wrong == 0,
    "nan": lambda _right, wrong: wrong.is_nan(),
    "infinity": lambda _right, wrong: math.isinf(wrong),
    "huge": lambda _right, wrong: wrong > Decimal("9e307"),
    "null": lambda _right, wrong: wrong is None,
}


@pytest.mark.parametrize(("upstream", "name"), [case for case in cases("data") if case[1] in WRONG])
def test_wrong_figure_stands_where_the_price_does(
    upstream: str, name: str, simulator: RunningSimulator, client: httpx.Client
):
    """The answer keeps its shape and carries the wrong price, for the named symbol, in its own spelling or ours."""
    right = price(ask(simulator, client, upstream), upstream)
    for symbol in SYMBOLS[upstream]:
        simulator.fault(name, upstream, symbol=symbol, times=1)
        answer = ask(simulator, client, upstream)
        assert answer.status_code == 200
        assert WRONG[name](right, price(answer, upstream))
    simulator.fault(name, upstream, symbol="OTHER")
    assert price(ask(simulator, client, upstream), upstream) == pytest.approx(right, rel=Decimal("0.01"))


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
def test_missing_symbol_is_unknown_in_the_upstreams_way(
    upstream: str, status: int, text: str, simulator: RunningSimulator, client: httpx.Client
):
    """A symbol that goes missing is answered like one that never was."""
    simulator.fault("missing", upstream, symbol=SYMBOLS[upstream][0])
    answer = ask(simulator, client, upstream)
    assert answer.status_code == status
    assert text in answer.text


#: Upstream → where the time of a price is in the answer, seconds per unit.
TIMES: Mapping[str, tuple[tuple[str | int, ...], float]] = {
    "binance": (("closeTime",), 0.001),
    "coingecko": (("bitcoin", "last_updated_at"), 1),
    "yahoo": (("quoteResponse", "result", 0, "regularMarketTime"), 1),
    "finnhub": (("t",), 1),
}


@pytest.mark.parametrize("upstream", TIMES)
def test_stale_price_is_of_long_ago(upstream: str, simulator: RunningSimulator, client: httpx.Client):
    """The price and its time are of three days before; Kraken and the plain ticker of Binance give no time at all."""

    def moment() -> float:
        value = ask(simulator, client, upstream).json()
        path, unit = TIMES[upstream]
        for step in path:
            value = value[step]
        return float(value) * unit

    fresh = moment()
    simulator.fault("stale", upstream)
    assert fresh - moment() >= 2 * 86_400


def test_wrong_unit_swaps_pence_and_pounds(simulator: RunningSimulator, client: httpx.Client):
    """The price stays and its currency is the other unit, in quotes and charts."""
    simulator.fault("wrong-unit", "yahoo")
    (quote,) = ask(simulator, client, "yahoo").json()["quoteResponse"]["result"]
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
def test_wrong_figures_in_bars_are_one_day_in_ten(
    upstream: str, path: str, closes: object, simulator: RunningSimulator, client: httpx.Client
):
    """As in real histories, single days are wrong by the factor and the others are untouched."""
    assert callable(closes)
    right = closes(client.get(simulator.url(upstream) + path).json())
    simulator.fault("x100", upstream)
    wrong = closes(client.get(simulator.url(upstream) + path).json())
    ratios = [round(after / before) for before, after in zip(right, wrong, strict=True)]
    assert set(ratios) == {1, 100}
    assert 0.02 < ratios.count(100) / len(ratios) < 0.2


def test_faults_add_up_and_are_listed(simulator: RunningSimulator, client: httpx.Client):
    """Two faults at once both happen; the control endpoint lists them with how often they were met."""
    simulator.fault("x100", "binance")
    simulator.fault("truncated", "binance", endpoint="/api/v3/ticker")
    ask(simulator, client, "binance")
    listed = client.get(f"{simulator.base_url}/_control").json()["faults"]
    assert [(fault["fault"], fault["met"], fault["times"]) for fault in listed] == [
        ("x100", 1, None),
        ("truncated", 1, None),
    ]
    assert client.get(f"{simulator.url('binance')}/api/v3/klines?symbol=BTCUSDT&interval=1d&limit=1").json()
    simulator.reset()
    assert client.get(f"{simulator.base_url}/_control").json()["faults"] == []
