"""`/api/v1/quotes`: the newest prices."""

from typing import Annotated, Any, Literal

from fastapi import Query as Parameters
from fastapi import Request
from pydantic import BeforeValidator, Field
from starlette.responses import Response

from financehub_shared.core.kinds import AssetType
from financehub_shared.core.models import Quality
from financehub_shared.views.quotes import QuoteView
from financehub_web.api.answers import Answer, Item, Page, respond
from financehub_web.api.paging import Key, page_of
from financehub_web.api.parameters import ListQuery, Query, Symbols, selected, split_names
from financehub_web.api.routing import CSV, FleetOf, Symbol, api_router
from financehub_web.api.symbols import missing_warnings, no_data_yet, require_asset, require_symbols
from financehub_web.reading.selection import contains

router = api_router("prices")

_Sort = Literal[
    "symbol", "-symbol", "price", "-price", "change_percent", "-change_percent", "volume", "-volume", "provider",
    "-provider", "fetched_at", "-fetched_at",
]  # fmt: skip
_TEXTS = ("symbol", "provider", "fetched_at")


class QuotesQuery(ListQuery):
    """The parameters of the list of quotes."""

    symbols: Symbols = Field([], description="Only these symbols, separated by commas.", examples=["BTC-USD,AAPL"])
    type: AssetType | None = Field(None, description="Only assets of this type.")
    stale: bool | None = Field(None, description="Only stale prices, or only those that are not stale.")
    quality: Annotated[list[Quality], BeforeValidator(split_names)] = Field(
        [], description="Only prices of these qualities, separated by commas.", examples=["corrected,unconfirmed"]
    )
    q: str = Field(
        "", max_length=100, description="Only assets whose symbol or name contains this text, in upper or lower case."
    )
    sort: _Sort = Field("symbol", description="The order. A minus sign means descending.")


@router.get("/quotes", response_model=Page[QuoteView], responses=CSV)
def list_quotes(request: Request, query: Annotated[QuotesQuery, Parameters()], fleet: FleetOf) -> Response:
    """Return the newest prices of all active assets, or of some assets."""
    reading = fleet.quote_views()
    names = {symbol: asset.name for symbol, asset in fleet.assets().value.items()} if query.q else {}
    wanted = require_symbols(fleet, query.symbols) if query.symbols else []

    def make() -> Answer:
        views = {view["symbol"]: view for view in reading.value}
        chosen = [views[symbol] for symbol in wanted if symbol in views] if wanted else list(views.values())
        chosen = [
            each
            for each in chosen
            if selected(each["type"], query.type)
            and selected(each["stale"], query.stale)
            and (not query.quality or each["quality"] in query.quality)
            and (not query.q or contains(query.q, each["symbol"], names.get(each["symbol"], "")))
        ]
        page, token = page_of(
            chosen,
            _key(query.sort.removeprefix("-")),
            limit=query.limit,
            token=query.page_token,
            descending=query.sort.startswith("-"),
        )
        return Answer(page, QuoteView, missing_warnings(wanted, views, "quote"), token)

    return respond(request, query, [reading], make)


@router.get("/quotes/{symbol}", response_model=Item[QuoteView])
def show_quote(
    request: Request,
    symbol: Symbol,
    query: Annotated[Query, Parameters()],
    fleet: FleetOf,
) -> Response:
    """Return the newest price of one asset."""
    asset = require_asset(fleet, symbol)
    reading = fleet.quote_views()

    def make() -> Answer:
        found = next((view for view in reading.value if view["symbol"] == asset.symbol), None)
        if found is None:
            raise no_data_yet(asset.symbol, "price", reading)
        return Answer(found, QuoteView)

    return respond(request, query, [reading], make)


def _key(name: str) -> Any:
    """Return the function that returns the key of a view in the order of one of its fields."""

    def key(view: QuoteView) -> Key:
        value: Any = view[name]  # type: ignore[literal-required]  # it is one of `_Sort`
        return (value if name in _TEXTS or value is None else float(value), view["symbol"])

    return key
