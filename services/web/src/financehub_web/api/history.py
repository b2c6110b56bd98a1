"""`/api/v1/quotes/{symbol}/history`: the intraday prices."""

from http import HTTPStatus
from typing import Annotated, Literal

from fastapi import Query as Parameters
from fastapi import Request
from pydantic import Field
from starlette.responses import Response

from financehub_shared.market.history_candles import check_range, fold, interval_seconds
from financehub_shared.views.history import CandleView, HistoryView, history_view
from financehub_web.api.answers import Answer, Item, respond
from financehub_web.api.errors import ApiError
from financehub_web.api.parameters import Moment, TableQuery
from financehub_web.api.routing import CSV, FleetOf, Symbol, api_router
from financehub_web.api.symbols import require_asset

router = api_router("prices")


class HistoryQuery(TableQuery):
    """The parameters of the intraday prices of one asset."""

    interval: Literal["1m", "5m", "15m", "1h", "1d"] = Field(
        "5m", description="Length of an interval. A day is a day in UTC."
    )
    start: Moment | None = Field(
        None,
        description="Start of the range. The interval that contains it is complete. The default: the oldest price.",
    )
    end: Moment | None = Field(
        None, description="End of the range, exclusive. The interval that contains it is complete. The default is now."
    )
    last: int | None = Field(None, ge=1, description="Only this number of newest intervals within the range.")


@router.get("/quotes/{symbol}/history", response_model=Item[HistoryView], responses=CSV)
def show_history(
    request: Request, symbol: Symbol, query: Annotated[HistoryQuery, Parameters()], fleet: FleetOf
) -> Response:
    """Return the prices of one asset as candles, oldest first. CSV has one line for each candle.

    They are the prices that `/quotes` showed, kept for some days. Intervals without a price are missing.
    """
    asset = require_asset(fleet, symbol)
    try:
        check_range(*fleet.history_range(query.start, query.end))
    except ValueError as error:
        raise ApiError(HTTPStatus.BAD_REQUEST, "invalid-range", f"start and end: {error}") from None
    seconds = interval_seconds(query.interval)
    reading = fleet.history(asset.symbol, query.start, query.end, seconds)

    def make() -> Answer:
        candles = fold(reading.value.points, seconds)[-(query.last or 0) :]
        view = history_view(reading.value, query.interval, candles)
        return Answer(view, HistoryView, rows=("candles", CandleView))

    return respond(request, query, [reading], make)
