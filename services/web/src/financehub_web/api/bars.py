"""`/api/v1/bars`: the daily bars."""

from bisect import bisect_left, bisect_right
from typing import Annotated, Any

from fastapi import Query as Parameters
from fastapi import Request
from pydantic import Field
from starlette.responses import Response

from financehub_shared.core.durations import DAY_SECONDS
from financehub_shared.core.models import Bars
from financehub_shared.views.bars import BarsView, BarView, bars_view
from financehub_web.api.answers import Answer, Item, Page, respond
from financehub_web.api.paging import page_of
from financehub_web.api.parameters import ListQuery, Moment, Symbols, TableQuery
from financehub_web.api.routing import CSV, FleetOf, Symbol, api_router
from financehub_web.api.symbols import missing_warnings, no_data_yet, require_asset, require_symbols
from financehub_web.reading.cache import Reading

router = api_router("prices")

#: Assets on one page of `/bars`. The bars of five years take 0.2 MB for each asset.
_MOST_ASSETS = 100
_START = Field(None, description="The first day, inclusive.")
_END = Field(None, description="The last day, inclusive.")


class BarsQuery(TableQuery):
    """The parameters of the bars of one asset."""

    start: Moment | None = _START
    end: Moment | None = _END
    last: int | None = Field(None, ge=0, description="Only this number of newest bars within the range.")


class BarsOfAssetsQuery(ListQuery):
    """The parameters of the bars of several assets."""

    limit: int = Field(_MOST_ASSETS, ge=1, le=_MOST_ASSETS, description="Largest number of assets on one page.")
    symbols: Symbols = Field([], description="Only these symbols, separated by commas.", examples=["BTC-USD,AAPL"])
    start: Moment | None = _START
    end: Moment | None = _END
    last: int | None = Field(
        None,
        ge=0,
        le=2_000,
        description="Number of newest bars of each asset within the range. By default, those of a range that is given.",
    )


@router.get("/bars", response_model=Page[BarsView], responses=CSV)
def list_bars(request: Request, query: Annotated[BarsOfAssetsQuery, Parameters()], fleet: FleetOf) -> Response:
    """Return how many bars each asset has. With `start`, `end` or `last`, return these bars too."""
    assets = fleet.assets()
    wanted = require_symbols(fleet, query.symbols)
    symbols, token = page_of(wanted, lambda symbol: (symbol,), limit=query.limit, token=query.page_token)
    has_rows = bool(query.last) or (query.last is None and (query.start, query.end) != (None, None))
    reading: Reading[Any] = fleet.bars_of(symbols) if has_rows else fleet.bar_summaries(symbols)

    def make() -> Answer:
        found = [reading.value[symbol] for symbol in symbols if symbol in reading.value]
        if has_rows:
            today = int(reading.at // DAY_SECONDS)
            found = [bars_view(each, today, _rows(each, query.start, query.end, query.last)) for each in found]
        return Answer(found, BarsView, missing_warnings(symbols, reading.value, "bars"), token)

    return respond(request, query, [assets, reading], make)


@router.get("/bars/{symbol}", response_model=Item[BarsView], responses=CSV)
def show_bars(request: Request, symbol: Symbol, query: Annotated[BarsQuery, Parameters()], fleet: FleetOf) -> Response:
    """Return the bars of one asset, oldest first. CSV has one line for each bar."""
    asset = require_asset(fleet, symbol)
    reading = fleet.bars(asset.symbol)

    def make() -> Answer:
        found = reading.value
        if found is None:
            raise no_data_yet(asset.symbol, "bars", reading)
        rows = _rows(found, query.start, query.end, query.last)
        view = bars_view(found, int(reading.at // DAY_SECONDS), rows)
        return Answer(view, BarsView, rows=("bars", BarView))

    return respond(request, query, [reading], make)


def _rows(found: Bars, start: float | None, end: float | None, last: int | None) -> range:
    """Return the indexes of the newest bars between two times."""
    first = 0 if start is None else bisect_left(found.days, start // DAY_SECONDS)
    stop = len(found) if end is None else bisect_right(found.days, end // DAY_SECONDS)
    return range(first if last is None else max(first, stop - last), max(first, stop))
