"""The page with the newest prices of all assets."""

from collections.abc import Container, Sequence
from http import HTTPStatus
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, Field
from starlette.responses import RedirectResponse, Response

from financehub_shared.core.errors import StoreUnavailableError
from financehub_shared.core.kinds import AssetType
from financehub_shared.core.models import Asset
from financehub_shared.health.freshness import dataset_limits
from financehub_shared.views.quotes import QuoteView
from financehub_web.console.links import Links
from financehub_web.console.page import show
from financehub_web.console.prices import places
from financehub_web.console.routing import page
from financehub_web.console.sorting import sort_rows
from financehub_web.console.sparklines import DayLines, day_lines
from financehub_web.reading.cache import Reading
from financehub_web.reading.fleet import Fleet, fleet_of
from financehub_web.reading.selection import contains

router = APIRouter()
#: Number of rows on one page. The prices of the last day are read for these rows only.
ROWS = 100

_Sort = Literal[
    "symbol", "-symbol", "name", "-name", "price", "-price", "currency", "-currency", "change_percent",
    "-change_percent", "volume", "-volume", "age_seconds", "-age_seconds", "provider", "-provider", "note", "-note",
]  # fmt: skip
#: Order of the page → the same order in the API, which has no names and knows times instead of ages.
_API_SORTS = {"age_seconds": "-fetched_at", "-age_seconds": "fetched_at"} | {
    sign + name: sign + name
    for name in ("symbol", "price", "change_percent", "volume", "provider")
    for sign in ("", "-")
}


class QuotesQuery(BaseModel):
    """The filter of the page, which its address contains.

    Args:
        q: Part of a symbol or of a name.
        symbols: Symbols separated by commas, such as those of a watchlist. Empty selects all.
        type: Type of the assets. Empty selects all.
        show: `stale` selects stale prices, and `doubtful` those whose quality is not good.
        sort: Name of the column. A minus means descending.
        page: Number of the page.
        go: Whether an exact symbol leads to the page of its asset.
    """

    q: str = Field("", max_length=100)
    symbols: str = Field("", max_length=4_000)
    type: AssetType | Literal[""] = ""
    show: Literal["", "stale", "doubtful"] = ""
    sort: _Sort = "symbol"
    page: int = Field(1, ge=1)
    go: bool = False

    @property
    def chosen(self) -> list[str]:
        """The symbols in upper case."""
        return [symbol.strip().upper() for symbol in self.symbols.split(",") if symbol.strip()]

    def api_parameters(self, known: Container[str]) -> dict[str, str]:
        """Return the parameters of the API that select the same quotes in the same order.

        There are none if all chosen symbols are unknown, because the API cannot select that.

        Args:
            known: The symbols of all assets. The API refuses others, such as that of a removed asset in a watchlist.
        """
        symbols = [symbol for symbol in self.chosen if symbol in known]
        if self.chosen and not symbols:
            return {}
        parameters = {
            "q": self.q,
            "symbols": ",".join(symbols),
            "type": self.type,
            "stale": "true" if self.show == "stale" else "",
            "quality": "corrected,unconfirmed" if self.show == "doubtful" else "",
            "sort": _API_SORTS.get(self.sort, "") if self.sort != "symbol" else "",
        }
        return {name: value for name, value in parameters.items() if value}


@page(router, "/quotes", "quotes")
def quotes(
    request: Request, query: Annotated[QuotesQuery, Query()], fleet: Annotated[Fleet, Depends(fleet_of)]
) -> Response:
    """Show the newest prices of all active assets that match the filter."""
    assets, reading = fleet.assets(), fleet.quote_views()
    if query.go and (symbol := query.q.strip().upper()) in assets.value:
        return RedirectResponse(Links(request).page("quote", symbol=symbol), HTTPStatus.SEE_OTHER)
    found = sort_rows(_matching(reading.value, assets.value, query), query.sort)
    first = (query.page - 1) * ROWS
    rows = found[first : first + ROWS]
    schedules, day = fleet.schedules(), day_of(fleet, rows)
    values = {
        "query": query,
        "api_parameters": query.api_parameters(assets.value),
        "rows": rows,
        "day": day.value,
        "places": max((places(row["price"], row["kind"]) for row in rows), default=2),
        "limits": dataset_limits(schedules.value, fleet.clock.now()),
        "first": first,
        "total": len(found),
        "size": ROWS,
        "known": len(reading.value),
        "stale": sum(view["stale"] for view in reading.value),
        "active": sum(asset.active for asset in assets.value.values()),
    }
    return show(request, "quotes.html", "Quotes", "quotes", values, assets, reading, schedules, day)


def day_of(fleet: Fleet, views: Sequence[Any]) -> Reading[DayLines]:
    """Return the lines of the last day of some quotes. There are none, and a problem, if they cannot be read."""
    try:
        reading = fleet.closes(views)
    except StoreUnavailableError as error:
        return Reading(day_lines({}), fleet.clock.now(), str(error))
    return Reading(day_lines(reading.value), reading.at, reading.problem, reading.warnings)


def _matching(views: list[QuoteView], assets: dict[str, Asset], query: QuotesQuery) -> list[dict[str, Any]]:
    """Return the matching prices, each with the name and the kind of its asset."""
    chosen = set(query.chosen)
    rows = []
    for view in views:
        asset = assets.get(view["symbol"])
        name = asset.name if asset else ""
        if not contains(query.q, view["symbol"], name) or (chosen and view["symbol"] not in chosen):
            continue
        if query.type and view["type"] != query.type:
            continue
        if query.show == "stale" and not view["stale"]:
            continue
        if query.show == "doubtful" and view["quality"] == "good":
            continue
        rows.append(with_asset(view, asset))
    return rows


def with_asset(view: QuoteView, asset: Asset | None) -> dict[str, Any]:
    """Return a quote with the name and the kind of its asset."""
    return {**view, "name": asset.name if asset else "", "kind": asset.kind.value if asset else ""}
