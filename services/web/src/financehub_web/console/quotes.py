"""The page with the newest prices of all assets."""

from http import HTTPStatus
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, Field
from starlette.responses import RedirectResponse, Response

from financehub_shared.core.kinds import AssetType
from financehub_shared.core.models import Asset
from financehub_shared.views.quotes import QuoteView
from financehub_web.console.links import Links
from financehub_web.console.page import show
from financehub_web.console.routing import page
from financehub_web.console.sorting import sort_rows
from financehub_web.reading.fleet import Fleet, fleet_of

router = APIRouter()
#: Number of rows on one page.
ROWS = 200

_Sort = Literal[
    "symbol", "-symbol", "name", "-name", "price", "-price", "change_percent", "-change_percent", "volume", "-volume",
    "age_seconds", "-age_seconds", "provider", "-provider",
]  # fmt: skip


class QuotesQuery(BaseModel):
    """The filter of the page, which its address contains.

    Args:
        q: Part of a symbol or of a name.
        type: Type of the assets. Empty selects all.
        show: `stale` selects stale prices, and `doubtful` those whose quality is not good.
        sort: Name of the column. A minus means descending.
        page: Number of the page.
        go: Whether an exact symbol leads to the page of its asset.
    """

    q: str = Field("", max_length=100)
    type: AssetType | Literal[""] = ""
    show: Literal["", "stale", "doubtful"] = ""
    sort: _Sort = "symbol"
    page: int = Field(1, ge=1)
    go: bool = False


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
    values = {
        "query": query,
        "rows": found[first : first + ROWS],
        "first": first,
        "total": len(found),
        "size": ROWS,
        "known": len(reading.value),
        "stale": sum(view["stale"] for view in reading.value),
        "active": sum(asset.active for asset in assets.value.values()),
    }
    return show(request, "quotes.html", "Quotes", "quotes", values, assets, reading)


def _matching(views: list[QuoteView], assets: dict[str, Asset], query: QuotesQuery) -> list[dict[str, Any]]:
    """Return the matching prices, each with the name of its asset."""
    wanted = query.q.strip().casefold()
    rows = []
    for view in views:
        asset = assets.get(view["symbol"])
        name = asset.name if asset else ""
        if wanted and wanted not in view["symbol"].casefold() and wanted not in name.casefold():
            continue
        if query.type and view["type"] != query.type:
            continue
        if query.show == "stale" and not view["stale"]:
            continue
        if query.show == "doubtful" and view["quality"] == "good":
            continue
        rows.append({**view, "name": name})
    return rows
