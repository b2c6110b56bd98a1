"""The page with all assets, also those without a price."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from financehub_shared.views.assets import asset_view
from financehub_web.console.page import show
from financehub_web.console.prices import places
from financehub_web.console.routing import page
from financehub_web.reading.fleet import Fleet, fleet_of
from financehub_web.reading.selection import contains

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

    @property
    def api_parameters(self) -> dict[str, str]:
        """The parameters of the API that select the same assets. There are none for those without a price."""
        if self.show == "without-price":
            return {}
        state = {"inactive": {"active": "false"}, "added": {"declared": "false"}}.get(self.show, {})
        return state | ({"q": self.q} if self.q else {})


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
    found = [
        row
        for row in rows
        if contains(query.q, row["symbol"], row["name"])
        and (query.show != "without-price" or (row["active"] and row["quote"] is None))
        and (query.show != "inactive" or not row["active"])
        and (query.show != "added" or not row["declared"])
    ]
    first = (query.page - 1) * ROWS
    shown = found[first : first + ROWS]
    values = {
        "query": query,
        "rows": shown,
        "places": max((places(row["quote"]["price"], row["kind"]) for row in shown if row["quote"]), default=2),
        "has_added": any(not row["declared"] for row in shown),
        "first": first,
        "total": len(found),
        "size": ROWS,
        "known": len(rows),
    }
    return show(request, "assets.html", "Assets", "assets", values, reading, quotes)
