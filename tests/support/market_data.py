"""Builders of quotes, bars, indicators and news items for tests."""

from array import array
from collections.abc import Iterable
from decimal import Decimal
from math import nan

from financehub_shared.core.models import Bars, Indicators, NewsItem, Quote
from financehub_shared.market.news_urls import news_id

T0 = 1_800_000_000.0


def quote(symbol: str = "BTC-USD", price: str = "65000.10", fetched_at: float = T0, **more: object) -> Quote:
    """Return a quote with default values for the usual fields."""
    fields: dict[str, object] = {"currency": "USD", "upstream_at": fetched_at, "provider": "binance"} | more
    return Quote(symbol=symbol, price=Decimal(price), fetched_at=fetched_at, **fields)  # type: ignore[arg-type]


def bars(symbol: str, days: Iterable[int], level: float = 100.0, provider: str = "binance") -> Bars:
    """Return bars whose prices differ by day and `level`."""
    day_column = array("i", days)
    prices = [array("d", (level + day / 1_000 + shift for day in day_column)) for shift in (0.0, 0.5, -0.5, 0.25)]
    return Bars(symbol, provider, day_column, *prices, array("d", [1e9] * len(day_column)))


def indicators(symbol: str = "BTC-USD", last_day: int = 20_010, **series: list[float]) -> Indicators:
    """Return indicators with the given series, which default to ten days of RSI."""
    columns = {name: array("d", values) for name, values in (series or {"rsi_14": [nan] * 9 + [55.5]}).items()}
    length = len(next(iter(columns.values())))
    days = array("i", range(last_day - length + 1, last_day + 1))
    return Indicators(symbol, "talib", T0, 19_000, last_day, 500, days, columns)


def news(path: str, title: str, at: float = T0, *assets: str, guid: str = "", source: str = "Wire") -> NewsItem:
    """Return a news item with a URL at example.com."""
    url = f"https://example.com/{path}"
    return NewsItem(news_id(url), title, url, source, at, T0, "rss", guid, assets)
