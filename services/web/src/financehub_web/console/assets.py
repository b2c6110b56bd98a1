"""The page with all assets, also those without a price."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from financehub_shared.views.assets import asset_view
from financehub_web.console.page import show
from financehub_web.console.routing import page
from financehub_web.reading.fleet import Fleet, fleet_of

router = APIRouter()
#: Number of rows on one page.
ROWS = 200


class AssetsQuery(BaseModel):
    """The filter of the page, which its address contains.

    Args:
        q: Part of a symbol or of a name.
        show: Which assets to show.
        page: Number of the page.
    """

    q: str = Field("", max_length=100)
    show: Literal["", "without-price", "inactive", "added"] = ""
    page: int = Field(1, ge=1)


@page(router, "/assets", "assets")
def assets(
    request: Request, query: Annotated[AssetsQuery, Query()], fleet: Annotated[Fleet, Depends(fleet_of)]
) -> Response:
    """Show the assets that match the filter, each with its last price."""
    reading, quotes = fleet.assets(), fleet.quote_views()
    prices = {view["symbol"]: view for view in quotes.value}
    rows: list[dict[str, Any]] = [
        {**asset_view(asset), "quote": prices.get(symbol)} for symbol, asset in reading.value.items()
    ]
    wanted = query.q.strip().casefold()
    found = [
        row
        for row in rows
        if (not wanted or wanted in row["symbol"].casefold() or wanted in row["name"].casefold())
        and (query.show != "without-price" or (row["active"] and row["quote"] is None))
        and (query.show != "inactive" or not row["active"])
        and (query.show != "added" or not row["declared"])
    ]
    first = (query.page - 1) * ROWS
    values = {
        "query": query,
        "rows": found[first : first + ROWS],
        "first": first,
        "total": len(found),
        "size": ROWS,
        "known": len(rows),
    }
    return show(request, "assets.html", "Assets", "assets", values, reading, quotes)
