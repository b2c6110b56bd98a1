"""The page of one asset: its price, its chart with indicators, its news and what was rejected."""

from difflib import get_close_matches
from http import HTTPStatus
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel
from starlette.responses import Response

from financehub_shared.core.models import Asset, Bars, Indicators, PriceHistory
from financehub_shared.core.symbols.spelling import suggest_symbols
from financehub_shared.core.text import dump_json
from financehub_shared.core.time_zones import exchange_zone
from financehub_shared.market.history_candles import INTERVALS, fold
from financehub_shared.views.news import news_view
from financehub_shared.views.quarantine import quarantine_view
from financehub_web.console.chart_data import INTRADAY, LABELS, LINES, PANES, RANGES, candle_columns, chart_columns
from financehub_web.console.errors import PageError
from financehub_web.console.links import Links
from financehub_web.console.page import show
from financehub_web.console.price_series import PriceSeries, daily_series, intraday_series
from financehub_web.console.responses import respond
from financehub_web.console.routing import page
from financehub_web.reading.cache import Reading
from financehub_web.reading.fleet import Fleet, fleet_of

router = APIRouter()
_NEWS = 10
_REJECTED = 10


Range = Literal["1d", "1w", "1m", "3m", "6m", "1y", "all"]


class QuoteQuery(BaseModel):
    """What the chart shows.

    Args:
        range: The days that are visible at first.
        line, pane: The lines over the prices and the panes below them. `none` selects none.
    """

    range: Range = "3m"
    line: list[str] = ["sma_20", "sma_50"]
    pane: list[str] = []


@page(router, "/quotes/{symbol}", "quote")
def quote(
    request: Request,
    symbol: str,
    query: Annotated[QuoteQuery, Query()],
    fleet: Annotated[Fleet, Depends(fleet_of)],
) -> Response:
    """Show everything about one asset."""
    asset = require_asset(request, fleet, symbol)
    assets, quotes, bars = fleet.assets(), fleet.quote_views(), fleet.bars(asset.symbol)
    indicators = fleet.indicators(asset.symbol)
    news = fleet.news(asset.symbol, limit=_NEWS)
    rejected = fleet.quarantined(asset.symbol, limit=_REJECTED)
    history, series = _series(fleet, asset.symbol, query.range, bars.value)
    now = fleet.clock.now()
    values = {
        "asset": asset,
        "kind": asset.kind.value,
        "zone": exchange_zone(asset.symbol, asset.kind, asset.currency),
        "quote": next((view for view in quotes.value if view["symbol"] == asset.symbol), None),
        "query": query,
        "ranges": RANGES,
        "lines": LINES,
        "panes": PANES,
        "intraday": query.range in INTRADAY,
        "choices": [*INTRADAY, *RANGES],
        "has_chart": bars.value is not None or series is not None,
        "chart": series.summary() if series else None,
        "rows": series.newest_rows() if series else [],
        "stored": bars.value,
        "indicators": _newest_indicators(indicators.value),
        "computed": indicators.value,
        "news": [news_view(item, now) for item in news.value],
        "rejected": [quarantine_view(record, now) for record in rejected.value],
    }
    readings: tuple[Reading[Any], ...] = (assets, quotes, bars, indicators, news, rejected, *history)
    return show(request, "quote.html", asset.symbol, "quotes", values, *readings)


def _series(
    fleet: Fleet, symbol: str, range_: str, bars: Bars | None
) -> tuple[list[Reading[PriceHistory]], PriceSeries | None]:
    """Return the readings of the intraday prices, and the prices that the chart shows. None if there are none."""
    if range_ not in INTRADAY:
        return [], daily_series(bars, RANGES[range_])
    age, interval = INTRADAY[range_]
    reading = fleet.recent_history(symbol, age, INTERVALS[interval])
    return [reading], intraday_series(fold(reading.value.points, INTERVALS[interval]))


@page(router, "/quotes/{symbol}/chart.json", "chart")
def chart(
    request: Request,
    symbol: str,
    fleet: Annotated[Fleet, Depends(fleet_of)],
    range: Annotated[Range, Query()] = "3m",
) -> Response:
    """Return the prices and the indicators of an asset as columns, which are a third of the size of records.

    All daily bars are returned for every range that shows them.
    """
    asset = require_asset(request, fleet, symbol)
    bars = fleet.bars(asset.symbol).value
    _, series = _series(fleet, asset.symbol, range, bars)
    if series is None:
        detail = f"{asset.symbol} has no stored prices in this range yet."
        raise PageError(HTTPStatus.NOT_FOUND, "There are no prices yet", detail)
    if range in INTRADAY or bars is None:
        return respond(request, dump_json(candle_columns(series)), "application/json")
    columns = chart_columns(bars, fleet.indicators(asset.symbol).value)
    return respond(request, dump_json(columns), "application/json")


def require_asset(request: Request, fleet: Fleet, symbol: str) -> Asset:
    """Return the asset with a symbol, which may be in lower case.

    Raises:
        PageError: The symbol is unknown. The page shows symbols that the reader may have meant.
    """
    assets = fleet.assets().value
    asset = assets.get(symbol.upper())
    if asset is None:
        links = Links(request)
        similar = suggest_symbols(symbol, assets) or get_close_matches(symbol.upper(), assets, cutoff=0.7)
        near = [(each, links.page("quote", symbol=each)) for each in similar]
        detail = "Did you mean one of these?" if near else "The page Assets lists all symbols."
        raise PageError(HTTPStatus.NOT_FOUND, f"The symbol {symbol} is unknown", detail, near)
    return asset


def _newest_indicators(indicators: Indicators | None) -> list[tuple[str, str, float]]:
    """Return (name, label, newest value) of all indicators."""
    if indicators is None:
        return []
    return [(name, LABELS.get(name, name), column[-1]) for name, column in indicators.series.items() if len(column)]
