"""`/api/v1/news`: the news items."""

from collections.abc import Sequence
from typing import Annotated

from fastapi import Query as Parameters
from fastapi import Request
from pydantic import Field
from starlette.responses import Response

from financehub_shared.core.models import NewsItem
from financehub_shared.views.news import NewsView, news_view
from financehub_web.api.answers import Answer, Page, respond
from financehub_web.api.newest import NewestFirst
from financehub_web.api.parameters import ListQuery, Moment, Symbols, selected
from financehub_web.api.routing import CSV, FleetOf, api_router
from financehub_web.api.symbols import require_asset
from financehub_web.reading.cache import Reading

router = api_router("news")


class NewsQuery(ListQuery):
    """The parameters of the list of news items."""

    symbols: Symbols = Field([], description="Only news about one of these symbols, separated by commas.")
    source: str | None = Field(None, max_length=200, description="Only news of this publisher.", examples=["CoinDesk"])
    since: Moment | None = Field(None, description="Only news that was published at this time or later.")
    q: str = Field("", max_length=200, description="Only headlines that contain this text, in upper or lower case.")


@router.get("/news", response_model=Page[NewsView], responses=CSV)
def list_news(request: Request, query: Annotated[NewsQuery, Parameters()], fleet: FleetOf) -> Response:
    """Return news items, newest first."""
    wanted = {require_asset(fleet, symbol).symbol for symbol in query.symbols}
    symbol = next(iter(wanted)) if len(wanted) == 1 else None
    text = query.q.casefold()
    readings: list[Reading[list[NewsItem]]] = []

    def read(until: float, count: int) -> list[NewsItem]:
        readings.append(fleet.news(symbol, limit=count, until=until))
        return readings[-1].required()

    def select(items: Sequence[NewsItem]) -> list[tuple[NewsItem, NewsItem]]:
        return [
            (item, item)
            for item in items
            if (not wanted or not wanted.isdisjoint(item.assets))
            and selected(item.source, query.source)
            and text in item.title.casefold()
        ]

    newest = NewestFirst(read, lambda item: (item.published_at, item.id), select, query.since)
    page, token = newest.page(query.limit, query.page_token)
    now = readings[0].at
    return respond(
        request,
        query,
        readings,
        lambda: Answer([news_view(item, now) for item in page], NewsView, next_page_token=token),
    )
