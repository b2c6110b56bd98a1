"""The page of one asset: its price, its chart with indicators, its news and what was rejected."""

from http import HTTPStatus
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel
from starlette.responses import Response

from financehub_shared.core.days import iso_day
from financehub_shared.core.models import Asset, Bars, Indicators
from financehub_shared.core.symbols.spelling import suggest_symbols
from financehub_shared.core.text import dump_json
from financehub_shared.views.news import news_view
from financehub_shared.views.quarantine import quarantine_view
from financehub_web.console.chart_data import LABELS, LINES, PANES, RANGES, chart_columns
from financehub_web.console.errors import PageError
from financehub_web.console.links import Links
from financehub_web.console.page import show
from financehub_web.console.responses import respond
from financehub_web.console.routing import page
from financehub_web.console.sparklines import line_path
from financehub_web.reading.fleet import Fleet, fleet_of

router = APIRouter()
#: Number of bars in the table next to the chart.
_TABLE_ROWS = 30
_NEWS = 10
_REJECTED = 10


class QuoteQuery(BaseModel):
    """What the chart shows.

    Args:
        range: The days that are visible at first.
        line, pane: The lines over the prices and the panes below them. `none` selects none.
    """

    range: Literal["1m", "3m", "6m", "1y", "all"] = "3m"
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
    now = fleet.clock.now()
    values = {
        "asset": asset,
        "quote": next((view for view in quotes.value if view["symbol"] == asset.symbol), None),
        "query": query,
        "ranges": RANGES,
        "lines": LINES,
        "panes": PANES,
        "chart": _summary(bars.value, query.range),
        "rows": _newest_bars(bars.value),
        "indicators": _newest_indicators(indicators.value),
        "computed": indicators.value,
        "news": [news_view(item, now) for item in news.value],
        "rejected": [quarantine_view(record, now) for record in rejected.value],
    }
    return show(request, "quote.html", asset.symbol, "quotes", values, assets, quotes, bars, indicators, news, rejected)


@page(router, "/quotes/{symbol}/chart.json", "chart")
def chart(request: Request, symbol: str, fleet: Annotated[Fleet, Depends(fleet_of)]) -> Response:
    """Return the bars and the indicators of an asset as columns, which are a third of the size of records."""
    asset = require_asset(request, fleet, symbol)
    bars, indicators = fleet.bars(asset.symbol).value, fleet.indicators(asset.symbol).value
    if bars is None:
        raise PageError(HTTPStatus.NOT_FOUND, "There are no bars yet", f"{asset.symbol} has no daily bars yet.")
    return respond(request, dump_json(chart_columns(bars, indicators)), "application/json")


def require_asset(request: Request, fleet: Fleet, symbol: str) -> Asset:
    """Return the asset with a symbol, which may be in lower case.

    Raises:
        PageError: The symbol is unknown. The page shows symbols that the reader may have meant.
    """
    assets = fleet.assets().value
    asset = assets.get(symbol.upper())
    if asset is None:
        links = Links(request)
        near = [(each, links.page("quote", symbol=each)) for each in suggest_symbols(symbol, assets)]
        detail = "Did you mean one of these?" if near else "The page Assets lists all symbols."
        raise PageError(HTTPStatus.NOT_FOUND, f"The symbol {symbol} is unknown", detail, near)
    return asset


def _summary(bars: Bars | None, range_: str) -> dict[str, Any] | None:
    """Return the figures of the visible days and the line that is drawn without JavaScript."""
    if bars is None or not len(bars):
        return None
    days = RANGES[range_]
    first = next(row for row, day in enumerate(bars.days) if not days or day > bars.days[-1] - days)
    closes = bars.close[first:]
    return {
        "path": line_path(closes),
        "count": len(closes),
        "from": iso_day(bars.days[first]),
        "to": iso_day(bars.days[-1]),
        "low": min(bars.low[first:]),
        "high": max(bars.high[first:]),
        "last": closes[-1],
        "provider": bars.provider,
        "stored": len(bars),
    }


def _newest_bars(bars: Bars | None) -> list[dict[str, Any]]:
    if bars is None:
        return []
    rows = range(len(bars) - 1, max(-1, len(bars) - 1 - _TABLE_ROWS), -1)
    return [
        {
            "day": iso_day(bars.days[row]),
            **{name: getattr(bars, name)[row] for name in ("open", "high", "low", "close", "volume")},
        }
        for row in rows
    ]


def _newest_indicators(indicators: Indicators | None) -> list[tuple[str, str, float]]:
    """Return (name, label, newest value) of all indicators."""
    if indicators is None:
        return []
    return [(name, LABELS.get(name, name), column[-1]) for name, column in indicators.series.items() if len(column)]
