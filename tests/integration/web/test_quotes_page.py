"""The page Quotes and its links: lines of the last day, notes, and the same filter in the API."""

import html
import re
import time
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Any

import httpx
import pytest
import redis

from financehub_shared.core.durations import HOUR_SECONDS
from financehub_shared.core.kinds import AssetType
from financehub_shared.core.models import Asset, Quality
from financehub_shared.market.redis_store import RedisStore
from support.market_data import quote
from support.redis_server import RedisServer
from support.web_server import serving

_POINT = re.compile(r"([\d.e-]+) ([\d.e-]+)")


def _fill(client: redis.Redis) -> float:
    """Write assets with the prices of five hours, and return the time of the newest one."""
    store = RedisStore(client)
    now = time.time()
    store.put_assets(
        [
            Asset("BTC-USD", AssetType.CRYPTO, "Bitcoin"),
            Asset("SHIB-USD", AssetType.CRYPTO, "Shiba Inu"),
            Asset("AAPL", AssetType.STOCK, "Apple"),
            Asset("OLD", AssetType.STOCK, "An old price"),
        ]
    )
    for number in range(300):
        at = now - (299 - number) * 60
        store.put_quotes([quote("BTC-USD", str(70_000 + number % 37 * 11), at)])
        if number % 10 == 0:
            store.put_quotes([quote("AAPL", str(450 + Decimal(number % 70) / 10), at)])
    doubtful = quote("SHIB-USD", "0.00002588455", now, quality=Quality.UNCONFIRMED, note="binance and kraken differ")
    store.put_quotes([doubtful, quote("OLD", "1", now - 100 * HOUR_SECONDS)])
    return now


def _candles(client: httpx.Client, symbol: str, interval: str) -> list[tuple[float, float]]:
    view = client.get(f"/api/v1/quotes/{symbol}/history", params={"interval": interval, "numbers": "float"}).json()
    candles = view["data"]["candles"]
    return [(datetime.fromisoformat(each["at"]).timestamp(), each["close"]) for each in candles]


def _row(page: str, symbol: str) -> str:
    found = re.search(rf'<tr id="quote-{symbol}".*?</tr>', page, re.DOTALL)
    assert found
    return html.unescape(found[0])


def test_lines_of_quotes_are_the_history_of_the_api(redis_client: redis.Redis, redis_url: str) -> None:
    """Each line has the closes of the candles that the API returns, at their times, and all lines share one axis."""
    _fill(redis_client)
    with serving(redis_url) as server, server.client() as client:
        page = client.get("/quotes").text
        expected = {"BTC-USD": _candles(client, "BTC-USD", "15m"), "AAPL": _candles(client, "AAPL", "1m")}
    start = min(candles[0][0] for candles in expected.values())
    end = max(candles[-1][0] for candles in expected.values())
    for symbol, candles in expected.items():
        path = re.search(r'<path d="M([^"]*)"', _row(page, symbol))
        assert path
        points = [(float(x), float(y)) for x, y in _POINT.findall(path[1])]
        prices = [close for _, close in candles]
        low, high = min(prices), max(prices)
        assert len(points) == len(candles) > 15
        for (x, y), (at, close) in zip(points, candles, strict=True):
            assert x == pytest.approx((at - start) / (end - start) * 100, abs=0.05)
            assert y == pytest.approx(29 - (close - low) / (high - low) * 28, abs=0.1)
    assert "Last 4h" in page or "Last 5h" in page


@pytest.mark.parametrize("path", ["/", "/quotes"])
def test_lines_that_cannot_be_read_are_said(redis_server: Callable[..., RedisServer], path: str) -> None:
    """If Redis refuses to read the history, the page has its prices without lines, and the banner with the reason."""
    server = redis_server()
    _fill(server.client())
    RedisStore(server.client()).put_quotes([quote("AAPL", "460", time.time(), change_percent=Decimal(1))])
    user: dict[str, Any] = {
        "enabled": True,
        "passwords": ["+secret"],
        "keys": ["*"],
        "categories": ["+@all"],
        "commands": ["-get"],
    }
    server.client().acl_setuser("reader", **user)
    with serving(server.url.replace("redis://", "redis://reader:secret@")) as web, web.client() as client:
        page = client.get(path).text
    assert ">460" in page
    assert '<svg class="spark"' not in page
    assert 'id="old"' in page
    assert "no permissions to run" in page


def test_quotes_say_what_is_wrong_with_a_price(redis_client: redis.Redis, redis_url: str) -> None:
    """A stale price has a sign, a word and the age that it should not have. A doubtful one has its stored note."""
    _fill(redis_client)
    with serving(redis_url) as server, server.client() as client:
        page = client.get("/quotes").text
    stale, doubtful, good = (_row(page, symbol) for symbol in ("OLD", "SHIB-USD", "AAPL"))
    assert "▲" in stale
    assert "stale" in stale
    assert re.search(r"older than \d+", stale)
    assert "unconfirmed" in doubtful
    assert "binance and kraken differ" in doubtful
    assert "0.00002588<" in doubtful
    assert "stale" not in good


@pytest.mark.parametrize(
    ("query", "symbols"),
    [
        ("", ["AAPL", "BTC-USD", "OLD", "SHIB-USD"]),
        ("?q=bit", ["BTC-USD"]),
        ("?type=stock&sort=-price", ["AAPL", "OLD"]),
        ("?show=stale", ["OLD"]),
        ("?show=doubtful", ["SHIB-USD"]),
        ("?symbols=shib-usd,AAPL&sort=-symbol", ["SHIB-USD", "AAPL"]),
        ("?symbols=AAPL,GONE", ["AAPL"]),
        ("?sort=age_seconds&type=stock", ["AAPL", "OLD"]),
    ],
)
def test_links_of_quotes_have_the_filter_of_the_page(
    redis_client: redis.Redis, redis_url: str, query: str, symbols: list[str]
) -> None:
    """The JSON and the CSV have the same quotes in the same order as the page."""
    _fill(redis_client)
    with serving(redis_url) as server, server.client() as client:
        page = client.get(f"/quotes{query}").text
        assert re.findall(r'<tr id="quote-([^"]*)"', page) == symbols
        links = [html.unescape(each) for each in re.findall(r'href="(/api/v1/quotes[^"]*)"', page)]
        found = {link: client.get(link) for link in links}
    csv, json = found.values()
    assert [each["symbol"] for each in json.json()["data"]] == symbols
    assert [line.partition(",")[0] for line in csv.text.splitlines()[1:]] == symbols


@pytest.mark.parametrize(
    "address", ["/quotes?symbols=GONE&type=stock", "/news?symbol=GONE&q=x", "/assets?show=without-price&q=a"]
)
def test_links_do_not_claim_a_filter_that_the_api_cannot_apply(
    redis_client: redis.Redis, redis_url: str, address: str
) -> None:
    """They lead to the whole list, and no label says that they have the filter of the page."""
    _fill(redis_client)
    with serving(redis_url) as server, server.client() as client:
        page = client.get(address).text
        path = address.partition("?")[0]
        assert f'href="/api/v1{path}"' in page
        assert f'href="/api/v1{path}?format=csv"' in page
        assert "With this filter" not in page
        assert "With this filter" in client.get(f"{path}?q=a").text


@pytest.mark.parametrize(
    "sort", ["symbol", "name", "price", "currency", "change_percent", "volume", "age_seconds", "provider", "note"]
)
def test_quotes_are_sorted_by_any_column(redis_client: redis.Redis, redis_url: str, sort: str) -> None:
    """Each heading links to an order, and the reverse order is the reverse."""
    _fill(redis_client)
    with serving(redis_url) as server, server.client() as client:
        up, down = (client.get("/quotes", params={"sort": order}).text for order in (sort, f"-{sort}"))
    assert 'aria-sort="ascending"' in up
    assert 'aria-sort="descending"' in down
    assert f"sort={sort}" in down or f"sort=-{sort}" in down
