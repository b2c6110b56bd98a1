"""`/api/v1/indicators`: the technical indicators."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import Query as Parameters
from fastapi import Request
from pydantic import Field
from starlette.responses import Response

from financehub_shared.core.near_names import similar_names
from financehub_shared.views.bars import last_rows
from financehub_shared.views.indicators import IndicatorDayView, IndicatorsView, indicators_view
from financehub_web.api.answers import Answer, Item, Page, respond
from financehub_web.api.errors import ApiError
from financehub_web.api.paging import page_of
from financehub_web.api.parameters import ListQuery, Names, Symbols, TableQuery
from financehub_web.api.routing import CSV, FleetOf, Symbol, api_router
from financehub_web.api.symbols import missing_warnings, no_data_yet, require_asset, require_symbols
from financehub_web.reading.cache import Reading

router = api_router("prices")

_NAMES: Any = Field([], description="Only these indicators, separated by commas.", examples=["rsi_14,macd"])


class IndicatorsQuery(TableQuery):
    """The parameters of the indicators of one asset."""

    names: Names = _NAMES
    last: int = Field(0, ge=0, le=1_000, description="Number of newest days in addition to the newest values.")


class IndicatorsOfAssetsQuery(ListQuery):
    """The parameters of the indicators of several assets."""

    symbols: Symbols = Field([], description="Only these symbols, separated by commas.", examples=["BTC-USD,AAPL"])
    names: Names = _NAMES


@router.get("/indicators", response_model=Page[IndicatorsView], responses=CSV)
def list_indicators(
    request: Request, query: Annotated[IndicatorsOfAssetsQuery, Parameters()], fleet: FleetOf
) -> Response:
    """Return the newest values of all active assets, or of some assets."""
    assets, reading = fleet.assets(), fleet.newest_indicators()
    wanted = require_symbols(fleet, query.symbols)

    def make() -> Answer:
        found = [reading.value[symbol] for symbol in wanted if symbol in reading.value]
        page, token = page_of(found, lambda each: (each.symbol,), limit=query.limit, token=query.page_token)
        views = [_select(indicators_view(each, reading.at), query.names) for each in page]
        return Answer(views, IndicatorsView, missing_warnings(wanted, reading.value, "indicators"), token)

    return respond(request, query, [assets, reading], make)


@router.get("/indicators/{symbol}", response_model=Item[IndicatorsView], responses=CSV)
def show_indicators(
    request: Request, symbol: Symbol, query: Annotated[IndicatorsQuery, Parameters()], fleet: FleetOf
) -> Response:
    """Return the indicators of one asset. CSV has one line for each of the `last` days, oldest first."""
    asset = require_asset(fleet, symbol)
    newest = fleet.newest_indicators()
    series = fleet.indicators(asset.symbol) if query.last else None
    readings: list[Reading[Any]] = [newest] if series is None else [newest, series]

    def make() -> Answer:
        values = newest.value.get(asset.symbol)
        if values is None:
            raise no_data_yet(asset.symbol, "indicators", newest)
        found = series.value if series is not None else None
        rows = last_rows(len(found.days), query.last) if found is not None else range(0)
        view = _select(indicators_view(values, newest.at, found, rows), query.names)
        return Answer(view, IndicatorsView, rows=("series", IndicatorDayView))

    return respond(request, query, readings, make)


def _select(view: IndicatorsView, names: Sequence[str]) -> IndicatorsView:
    """Return a view with some of its indicators.

    Raises:
        ApiError: An indicator is unknown.
    """
    if not names:
        return view
    known = {*view["values"], *(name for day in view["series"] for name in day["values"])}
    for name in names:
        if name not in known:
            near = similar_names(name, known)
            hint = f"did you mean {' or '.join(near)}?" if near else f"{view['symbol']} has {', '.join(sorted(known))}"
            detail = f"names: unknown indicator {name!r}; {hint}"
            raise ApiError(HTTPStatus.BAD_REQUEST, "unknown-indicator", detail, near=near)
    values = {name: value for name, value in view["values"].items() if name in names}
    series: list[IndicatorDayView] = [
        {"day": day["day"], "values": {name: value for name, value in day["values"].items() if name in names}}
        for day in view["series"]
    ]
    return {**view, "values": values, "series": series}
