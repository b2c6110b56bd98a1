"""The page with the newest headlines."""

from collections import Counter
from collections.abc import Container
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from financehub_shared.core.models import NewsItem
from financehub_shared.views.news import news_view
from financehub_web.console.page import show
from financehub_web.console.routing import page
from financehub_web.reading.fleet import Fleet, fleet_of

router = APIRouter()
#: Number of headlines that the filter searches, and on one page.
_SEARCHED, ROWS = 2_000, 50


class NewsQuery(BaseModel):
    """The filter of the page, which its address contains.

    Args:
        symbol: Asset that the headlines mention. Empty selects all.
        source: Publisher. Empty selects all.
        q: Part of a headline.
        page: Number of the page.
    """

    symbol: str = Field("", max_length=20)
    source: str = Field("", max_length=200)
    q: str = Field("", max_length=100)
    page: int = Field(1, ge=1)

    def api_parameters(self, known: Container[str]) -> dict[str, str]:
        """Return the parameters of the API that select the same headlines.

        There are none if the symbol is unknown, because the API cannot select that.

        Args:
            known: The symbols of all assets. The API refuses others.
        """
        symbol = self.symbol.strip()
        if symbol and symbol.upper() not in known:
            return {}
        parameters = {"q": self.q.strip(), "symbols": symbol, "source": self.source}
        return {name: value for name, value in parameters.items() if value}


@page(router, "/news", "news")
def news(
    request: Request, query: Annotated[NewsQuery, Query()], fleet: Annotated[Fleet, Depends(fleet_of)]
) -> Response:
    """Show the newest headlines that match the filter."""
    symbol = query.symbol.strip().upper()
    assets, reading = fleet.assets(), fleet.news(symbol or None, limit=_SEARCHED)
    found = [item for item in reading.value if _matches(item, query)]
    first = (query.page - 1) * ROWS
    now = fleet.clock.now()
    values = {
        "query": query,
        "api_parameters": query.api_parameters(assets.value),
        "items": [news_view(item, now) for item in found[first : first + ROWS]],
        "sources": sorted(Counter(item.source for item in reading.value).items(), key=lambda each: (-each[1], each[0])),
        "first": first,
        "total": len(found),
        "size": ROWS,
        "stored": len(reading.value),
        "searched": _SEARCHED,
    }
    return show(request, "news.html", "News", "news", values, assets, reading)


def _matches(item: NewsItem, query: NewsQuery) -> bool:
    wanted = query.q.strip().casefold()
    return (not query.source or item.source == query.source) and (not wanted or wanted in item.title.casefold())
