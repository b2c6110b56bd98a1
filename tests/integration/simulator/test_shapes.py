"""Tests of fields, page sizes and error responses of every upstream against their documentation."""

import json
import time
from collections.abc import Iterator, Mapping

import feedparser
import httpx
import pytest

from financehub_simulator.universe import LISTED_COINS, bench_coins, bench_stocks
from financehub_simulator.upstreams.yahoo import crumb
from support.json_shape import json_shape
from support.simulator import RunningSimulator

CRUMB = f"crumb={crumb(7)}"
STRINGS_OF_24H = (
    "priceChange priceChangePercent weightedAvgPrice prevClosePrice lastPrice lastQty bidPrice bidQty askPrice askQty "
    "openPrice highPrice lowPrice volume quoteVolume symbol"
)
NUMBERS_OF_24H = "openTime closeTime firstId lastId count"

#: Request → required fields: path in the response → JSON type.
SHAPES: Mapping[str, Mapping[str, str]] = {
    "/binance/api/v3/ticker/price?symbol=BTCUSDT": {"/symbol": "string", "/price": "string"},
    '/binance/api/v3/ticker/price?symbols=["BTCUSDT","ETHUSDT"]': {"/[]/symbol": "string", "/[]/price": "string"},
    '/binance/api/v3/ticker/24hr?symbols=["BTCUSDT","ETHBTC"]': {
        **{f"/[]/{name}": "string" for name in STRINGS_OF_24H.split()},
        **{f"/[]/{name}": "number" for name in NUMBERS_OF_24H.split()},
    },
    "/binance/api/v3/klines?symbol=BTCUSDT&interval=1d&limit=2": {
        **{f"/[]/{position}": "number" for position in (0, 6, 8)},
        **{f"/[]/{position}": "string" for position in (1, 2, 3, 4, 5, 7, 9, 10, 11)},
    },
    "/coingecko/api/v3/simple/price?ids=bitcoin,sim0001&vs_currencies=usd,eur&include_24hr_change=true"
    "&include_24hr_vol=true&include_market_cap=true&include_last_updated_at=true": {
        f"/{coin}/{field}": "number"
        for coin in ("bitcoin", "sim0001")
        for field in ("usd", "eur", "usd_24h_change", "usd_24h_vol", "usd_market_cap", "last_updated_at")
    },
    "/coingecko/api/v3/coins/markets?vs_currency=usd&ids=bitcoin": {
        "/[]/id": "string",
        "/[]/current_price": "number",
        "/[]/price_change_percentage_24h": "number",
        "/[]/total_volume": "number",
        "/[]/last_updated": "string",
    },
    "/kraken/0/public/Ticker?pair=XBTUSD,SOLUSD": {
        "/error": "array",
        "/result/XXBTZUSD/c/[]": "string",
        "/result/SOLUSD/c/[]": "string",
        "/result/XXBTZUSD/v/[]": "string",
        "/result/XXBTZUSD/o": "string",
    },
    "/kraken/0/public/OHLC?pair=ETHUSD&interval=1440": {
        "/result/XETHZUSD/[]/0": "number",
        "/result/XETHZUSD/[]/4": "string",
        "/result/last": "number",
    },
    f"/yahoo/v7/finance/quote?symbols=AAPL,BTC-USD&{CRUMB}": {
        "/quoteResponse/result/[]/regularMarketPrice": "number",
        "/quoteResponse/result/[]/regularMarketTime": "number",
        "/quoteResponse/result/[]/currency": "string",
        "/quoteResponse/error": "null",
    },
    # The fields of `meta` without which yfinance rejects a history.
    "/yahoo/v8/finance/chart/AAPL?range=5d&interval=1d": {
        "/chart/result/[]/meta/currentTradingPeriod/regular/start": "number",
        "/chart/result/[]/meta/validRanges/[]": "string",
        "/chart/result/[]/meta/instrumentType": "string",
        "/chart/result/[]/meta/exchangeTimezoneName": "string",
        "/chart/result/[]/meta/currency": "string",
        "/chart/result/[]/timestamp/[]": "number",
        "/chart/result/[]/indicators/quote/[]/volume/[]": "number",
        "/chart/result/[]/indicators/adjclose/[]/adjclose/[]": "number",
        "/chart/error": "null",
    },
    "/finnhub/api/v1/quote?symbol=AAPL&token=t": {
        f"/{name}": "number" for name in ["c", "d", "dp", "h", "l", "o", "pc", "t"]
    },
    "/gdelt/api/v2/doc/doc?query=markets&mode=artlist&format=json": {
        f"/articles/[]/{name}": "string"
        for name in ["url", "url_mobile", "title", "seendate", "socialimage", "domain", "language", "sourcecountry"]
    },
}

BINANCE_ILLEGAL_SYMBOL = '/binance/api/v3/ticker/price?symbols=["btc usdt"]'
#: Request → status of the error response and a part of its body.
ERRORS: Mapping[str, tuple[int, str]] = {
    "/binance/api/v3/ticker/price?symbol=NOPEUSDT": (400, '"code":-1121,"msg":"Invalid symbol."'),
    '/binance/api/v3/ticker/price?symbols=["BTCUSDT","NOPEUSDT"]': (400, '"code":-1121'),
    '/binance/api/v3/ticker/24hr?symbols=["BTCUSDT","NOPEUSDT"]': (400, '"code":-1121'),
    "/binance/api/v3/klines?symbol=NOPEUSDT&interval=1d": (400, '"code":-1121'),
    "/binance/api/v3/klines?symbol=BTCUSDT&interval=2d": (400, '"code":-1120'),
    "/binance/api/v3/klines?interval=1d": (400, '"code":-1102'),
    "/binance/api/v3/klines?symbol=BTCUSDT&interval=1d&limit=all": (400, "limit"),
    BINANCE_ILLEGAL_SYMBOL: (400, '"code":-1100'),
    "/binance/api/v3/nonsense": (404, "Not Found"),
    "/coingecko/api/v3/simple/price?ids=nope&vs_currencies=usd": (200, "{}"),
    "/coingecko/api/v3/simple/price?vs_currencies=usd": (422, "Missing parameter ids"),
    "/coingecko/api/v3/coins/markets": (422, "Missing parameter vs_currency"),
    "/kraken/0/public/Ticker?pair=XBTUSD,NOPEUSD": (200, '{"error":["EQuery:Unknown asset pair"]}'),
    "/kraken/0/public/OHLC?pair=NOPEUSD&interval=1440": (200, '{"error":["EQuery:Unknown asset pair"]}'),
    "/yahoo/v7/finance/quote?symbols=AAPL": (401, "User is unable to access this feature"),
    "/yahoo/v7/finance/quote?symbols=AAPL&crumb=old": (401, "Invalid Crumb"),
    f"/yahoo/v7/finance/quote?symbols=NOPE&{CRUMB}": (200, '{"quoteResponse":{"result":[],"error":null}}'),
    f"/yahoo/v7/finance/quote?symbols=DELISTED&{CRUMB}": (200, '"quoteType":"NONE"'),
    "/yahoo/v8/finance/chart/NOPE": (404, "No data found, symbol may be delisted"),
    "/yahoo/v8/finance/chart/AAPL?range=7y": (422, "Valid ranges"),
    "/yahoo/v1/test/getcrumb": (401, ""),
    "/finnhub/api/v1/quote?symbol=AAPL": (401, "Please use an API key."),
    "/finnhub/api/v1/quote?symbol=AAPL&token=invalid": (401, "Invalid API key."),
    "/finnhub/api/v1/quote?symbol=VOD.L&token=t": (403, "You don't have access to this resource."),
    "/finnhub/api/v1/quote?symbol=NOPE&token=t": (200, '{"c":0,"d":null,"dp":null,"h":0,"l":0,"o":0,"pc":0,"t":0}'),
    "/rss/nonsense": (404, "Not Found"),
    "/gdelt/api/v2/doc/doc?query=a&mode=artlist&format=json": (200, "too short or too long"),
    "/gdelt/api/v2/doc/doc?query=zzzzzz&mode=artlist&format=json": (200, "{}"),
}


@pytest.mark.parametrize("path", SHAPES, ids=lambda path: path.split("?", 1)[0])
def test_response_contains_every_documented_field(path: str, simulator: RunningSimulator, client: httpx.Client):
    """Every documented field exists with its documented JSON type."""
    response = client.get(simulator.base_url + path)
    assert response.status_code == 200
    assert set(SHAPES[path].items()) - json_shape(response.json()) == set()


@pytest.mark.parametrize("path", ERRORS)
def test_invalid_request_gets_the_error_of_the_upstream(path: str, simulator: RunningSimulator, client: httpx.Client):
    """An invalid request gets the upstream's status and error text."""
    status, text = ERRORS[path]
    response = client.get(simulator.base_url + path)
    assert response.status_code == status
    assert text in response.text


def test_upstreams_agree_on_the_price_of_a_coin(simulator: RunningSimulator, client: httpx.Client):
    """Binance, CoinGecko, Kraken and Yahoo report the same price, apart from the difference between USDT and USD."""
    base = simulator.base_url
    prices = [
        float(client.get(f"{base}/binance/api/v3/ticker/price?symbol=BTCUSDT").json()["price"]),
        client.get(f"{base}/coingecko/api/v3/simple/price?ids=bitcoin&vs_currencies=usd").json()["bitcoin"]["usd"],
        float(client.get(f"{base}/kraken/0/public/Ticker?pair=XBTUSD").json()["result"]["XXBTZUSD"]["c"][0]),
        client.get(f"{base}/yahoo/v7/finance/quote?symbols=BTC-USD&{CRUMB}").json()["quoteResponse"]["result"][0][
            "regularMarketPrice"
        ],
    ]
    assert max(prices) / min(prices) < 1.002
    assert prices[0] < prices[1]


def test_quote_equals_the_last_close_of_the_bars(simulator: RunningSimulator, client: httpx.Client):
    """The last close of klines, candles and charts equals the quote at the same time."""
    base = simulator.base_url
    kline = client.get(f"{base}/binance/api/v3/klines?symbol=SIM0007USDT&interval=1d&limit=1").json()[-1]
    quote = client.get(f"{base}/binance/api/v3/ticker/price?symbol=SIM0007USDT").json()
    assert float(kline[4]) == pytest.approx(float(quote["price"]), rel=1e-4)
    chart = client.get(f"{base}/yahoo/v8/finance/chart/STK0007?range=1mo").json()["chart"]["result"][0]
    stock = client.get(f"{base}/yahoo/v7/finance/quote?symbols=STK0007&{CRUMB}").json()["quoteResponse"]["result"][0]
    assert chart["indicators"]["quote"][0]["close"][-1] == pytest.approx(stock["regularMarketPrice"], rel=1e-3)
    assert chart["meta"]["regularMarketPrice"] == pytest.approx(stock["regularMarketPrice"], rel=1e-3)


def test_london_shares_are_quoted_in_pence(simulator: RunningSimulator, client: httpx.Client):
    """The currency of a London share is GBp in quotes and in charts."""
    quote = client.get(f"{simulator.url('yahoo')}/v7/finance/quote?symbols=VOD.L&{CRUMB}").json()
    chart = client.get(f"{simulator.url('yahoo')}/v8/finance/chart/VOD.L").json()
    assert quote["quoteResponse"]["result"][0]["currency"] == "GBp"
    assert chart["chart"]["result"][0]["meta"]["currency"] == "GBp"


def test_binance_accepts_a_thousand_symbols_per_request(simulator: RunningSimulator, client: httpx.Client):
    """One request line can contain 1,000 symbols, and the list of all symbols contains them too."""
    symbols = [f"{name[:-4]}USDT" for name in bench_coins(1_000)]
    query = {"symbols": json.dumps(symbols, separators=(",", ":"))}
    named = client.get(f"{simulator.url('binance')}/api/v3/ticker/price", params=query).json()
    assert [row["symbol"] for row in named] == symbols
    listed = {row["symbol"] for row in client.get(f"{simulator.url('binance')}/api/v3/ticker/price").json()}
    assert set(symbols) < listed


@pytest.mark.parametrize(
    ("parameters", "days"),
    [
        ({"limit": "2000"}, 1_000),
        ({}, 500),
        ({"limit": "3"}, 3),
        ({"startTime": "1735689600000", "endTime": "1736294399999"}, 7),
        ({"startTime": "1735689600000", "limit": "5"}, 5),
        ({"startTime": "1735689600001", "endTime": "1736294399999"}, 6),
    ],
)
def test_binance_klines_respect_limit_and_period(
    parameters: dict[str, str], days: int, simulator: RunningSimulator, client: httpx.Client
):
    """A response contains at most 1,000 klines, 500 by default, in ascending order from startTime to endTime."""
    query = {"symbol": "BTCUSDT", "interval": "1d", **parameters}
    bars = client.get(f"{simulator.url('binance')}/api/v3/klines", params=query).json()
    assert len(bars) == days
    opens = [bar[0] for bar in bars]
    assert opens == list(range(opens[0], opens[0] + days * 86_400_000, 86_400_000))
    assert opens[0] >= int(parameters.get("startTime", "0"))


def test_coingecko_page_contains_at_most_250_coins(simulator: RunningSimulator, client: httpx.Client):
    """A page contains at most 250 coins, pages do not overlap, and the last page is shorter."""
    pages = []
    for page in range(1, 7):
        query = {"vs_currency": "usd", "per_page": "999", "page": str(page)}
        pages.append(
            [row["id"] for row in client.get(f"{simulator.url('coingecko')}/api/v3/coins/markets", params=query).json()]
        )
    total = len(LISTED_COINS) + 1_000
    assert [len(page) for page in pages] == [250, 250, 250, 250, total - 1_000, 0]
    assert len({coin for page in pages for coin in page}) == total


def test_kraken_returns_at_most_720_candles(simulator: RunningSimulator, client: httpx.Client):
    """Kraken returns its last 720 candles, or those after `since`."""
    url = f"{simulator.url('kraken')}/0/public/OHLC?pair=XBTUSD&interval=1440"
    candles = client.get(url).json()["result"]["XXBTZUSD"]
    assert len(candles) == 720
    since = client.get(f"{url}&since={candles[-4][0]}").json()["result"]["XXBTZUSD"]
    assert [candle[0] for candle in since] == [candle[0] for candle in candles[-3:]]


def test_yahoo_quotes_only_the_first_99_symbols(simulator: RunningSimulator, client: httpx.Client):
    """Yahoo leaves out the hundredth symbol of a quote request without an error."""
    symbols = bench_stocks(100)
    query = {"symbols": ",".join(symbols), "crumb": crumb(7)}
    rows = client.get(f"{simulator.url('yahoo')}/v7/finance/quote", params=query).json()["quoteResponse"]["result"]
    assert [row["symbol"] for row in rows] == symbols[:99]


@pytest.mark.parametrize(("query", "found"), [("", 75), ("&maxrecords=250", 250), ("&maxrecords=900", 250)])
def test_gdelt_returns_at_most_250_articles(query: str, found: int, simulator: RunningSimulator, client: httpx.Client):
    """A response contains 75 articles by default and at most 250, newest first."""
    url = f"{simulator.url('gdelt')}/api/v2/doc/doc?query=stock%20markets&mode=artlist&format=json{query}"
    articles = client.get(url).json()["articles"]
    assert len(articles) == found
    times = [article["seendate"] for article in articles]
    assert times == sorted(times, reverse=True)


FEEDS = ["yahoo", "cnbc", "marketwatch", "coindesk", "atom"]


@pytest.fixture(scope="module")
def stopped_simulator() -> Iterator[RunningSimulator]:
    """A simulator with a stopped clock, so that no new story appears during a test."""
    at = time.time()
    with RunningSimulator(enforce_rate_limits=False, now=lambda: at) as simulator:
        yield simulator


@pytest.mark.parametrize("feed", FEEDS)
def test_feed_is_well_formed_and_supports_conditional_requests(
    feed: str, stopped_simulator: RunningSimulator, client: httpx.Client
):
    """A feed has 25 valid entries. The same ETag or date yields 304, and any other yields 200."""
    url = f"{stopped_simulator.url('rss')}/{feed}"
    response = client.get(url)
    parsed = feedparser.parse(response.content)
    assert not parsed.bozo
    assert len(parsed.entries) == 25
    assert all(entry.id and entry.link and entry.published_parsed and entry.title for entry in parsed.entries)
    etag, modified = response.headers["etag"], response.headers["last-modified"]
    for condition in ({"If-None-Match": etag}, {"If-None-Match": f'W/{etag}, "b"'}, {"If-Modified-Since": modified}):
        unchanged = client.get(url, headers=condition)
        assert (unchanged.status_code, unchanged.content) == (304, b"")
        assert unchanged.headers["etag"] == etag
    for condition in (
        {"If-None-Match": '"other"', "If-Modified-Since": modified},
        {"If-Modified-Since": "Sat, 01 Jan 2000 00:00:00 GMT"},
        {"If-Modified-Since": "yesterday"},
    ):
        assert client.get(url, headers=condition).status_code == 200


def test_feeds_overlap_in_addresses_and_titles(stopped_simulator: RunningSimulator, client: httpx.Client):
    """Two feeds share URLs with different utm parameters, and other feeds share titles at different URLs."""
    entries = {
        feed: feedparser.parse(client.get(f"{stopped_simulator.url('rss')}/{feed}").content).entries for feed in FEEDS
    }
    plain = {feed: {entry.link.split("?")[0].lower() for entry in found} for feed, found in entries.items()}
    exact = {feed: {entry.link for entry in found} for feed, found in entries.items()}
    assert plain["yahoo"] == plain["atom"]
    assert not exact["yahoo"] & exact["atom"]
    titles = {feed: {entry.title.rstrip(".") for entry in found} for feed, found in entries.items()}
    assert titles["yahoo"] & titles["cnbc"]
    assert titles["coindesk"] & (titles["yahoo"] | titles["cnbc"] | titles["marketwatch"])
    assert not plain["cnbc"] & plain["yahoo"]
