"""`/api/v1/quotes`: the newest prices."""

from http import HTTPStatus
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Request
from fastapi import Query as Parameters
from pydantic import Field
from starlette.responses import Response

from financehub_shared.core.kinds import AssetType
from financehub_shared.views.quotes import QuoteView
from financehub_web.api.answers import Answer, Item, Page, respond
from financehub_web.api.paging import page_of
from financehub_web.api.parameters import ListQuery, Query, Symbols
from financehub_web.api.problems import ApiError
from financehub_web.api.symbols import require_asset
from financehub_web.reading.fleet import Fleet, fleet_of

router = APIRouter(tags=["prices"])

_SORTS = Literal["symbol", "-symbol", "change_percent", "-change_percent", "age_seconds", "-age_seconds"]


class QuotesQuery(ListQuery):
    """The parameters of the list of quotes."""

    symbols: Symbols = Field([], description="Only these symbols, separated by commas.", examples=["BTC-USD,AAPL"])
    type: AssetType | None = Field(None, description="Only assets of this type.")
    stale: bool | None = Field(None, description="Only stale prices, or only those that are not stale.")
    sort: _SORTS = Field("symbol", description="The order. A minus means descending.")


@router.get("/quotes", response_model=Page[QuoteView])
def list_quotes(
    request: Request, query: Annotated[QuotesQuery, Parameters()], fleet: Annotated[Fleet, Depends(fleet_of)]
) -> Response:
    """Return the newest prices of all active assets, or of some assets."""
    reading = fleet.quote_views()
    views = reading.value
    if query.symbols:
        wanted = [require_asset(fleet, symbol).symbol for symbol in query.symbols]
        found: dict[str, QuoteView] = {view["symbol"]: view for view in views}
        missing = [symbol for symbol in wanted if symbol not in found]
        views = [found[symbol] for symbol in wanted if symbol in found]
    else:
        missing = []
    views = [
        view
        for view in views
        if (query.type is None or view["type"] == query.type) and (query.stale is None or view["stale"] == query.stale)
    ]
    name, is_descending = query.sort.removeprefix("-"), query.sort.startswith("-")

    def key(view: QuoteView) -> tuple[Any, ...]:
        value: Any = view[name]  # type: ignore[literal-required]
        number = value if name == "symbol" or value is None else float(value)
        return (-number if is_descending and isinstance(number, float) else number, view["symbol"])

    views = sorted(views, key=lambda view: tuple((part is None, part or 0) for part in key(view)))
    page, token = page_of(views, key, limit=query.limit, token=query.page_token)
    warnings = [f"no quote yet: {', '.join(missing)}"] if missing else []
    return respond(request, Answer(page, reading.at, QuoteView, warnings, token), query)


@router.get("/quotes/{symbol}", response_model=Item[QuoteView])
def show_quote(
    request: Request,
    symbol: Annotated[str, Path(description="The symbol of the asset, such as `BTC-USD`.")],
    query: Annotated[Query, Parameters()],
    fleet: Annotated[Fleet, Depends(fleet_of)],
) -> Response:
    """Return the newest price of one asset."""
    asset = require_asset(fleet, symbol)
    reading = fleet.quote_views()
    found = next((view for view in reading.value if view["symbol"] == asset.symbol), None)
    if found is None:
        detail = f"{asset.symbol} has no price yet; the next run of its task fetches it"
        raise ApiError(HTTPStatus.NOT_FOUND, "no-data-yet", detail)
    return respond(request, Answer(found, reading.at, QuoteView), query)
