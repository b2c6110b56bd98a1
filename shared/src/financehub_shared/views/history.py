"""The view of the intraday prices of an asset."""

from collections.abc import Sequence
from typing import Annotated

from typing_extensions import TypedDict

from financehub_shared.core.models import Candle, PriceHistory
from financehub_shared.views.fields import Field
from financehub_shared.views.formats import Time, iso_time


class CandleView(TypedDict):
    """The accepted prices in one interval."""

    at: Annotated[Time | None, Field(description="The start of the interval. A day begins at midnight in UTC.")]
    open: Annotated[float, Field(description="The first price in the currency of the asset.")]
    high: Annotated[float, Field(description="The highest price in the currency of the asset.")]
    low: Annotated[float, Field(description="The lowest price in the currency of the asset.")]
    close: Annotated[float, Field(description="The last price in the currency of the asset.")]
    count: Annotated[int, Field(description="The number of prices. It is not a volume.")]


class ScaleChangeView(TypedDict):
    """A split, or the correction of a wrong unit, for which the earlier prices were rescaled."""

    at: Annotated[Time | None, Field(description="The time of the first price on the new scale.")]
    factor: Annotated[
        float,
        Field(description="The number by which the earlier prices were divided: 5 for a split of 5:1.", examples=[5.0]),
    ]


class HistoryView(TypedDict):
    """The intraday prices of one asset."""

    symbol: Annotated[str, Field(description="The canonical symbol of the asset.", examples=["AAPL"])]
    interval: Annotated[str, Field(description="The length of an interval.", examples=["5m"])]
    simulated: Annotated[bool, Field(description="Whether the prices come from the simulator.")]
    unconfirmed_since: Annotated[
        Time | None,
        Field(
            description="The time of the first of the newest prices that are not confirmed yet. Null if the newest "
            "price is good or corrected."
        ),
    ]
    scale_changes: Annotated[
        list[ScaleChangeView], Field(description="The changes of the scale within the range, oldest first.")
    ]
    candles: Annotated[
        list[CandleView], Field(description="The intervals that contain a price, oldest first. The others are missing.")
    ]


def candle_view(candle: Candle) -> CandleView:
    """Return the view of one candle."""
    return {
        "at": iso_time(candle.at),
        "open": candle.open,
        "high": candle.high,
        "low": candle.low,
        "close": candle.close,
        "count": candle.count,
    }


def history_view(history: PriceHistory, interval: str, candles: Sequence[Candle]) -> HistoryView:
    """Return the view of the intraday prices of an asset.

    Args:
        history: The prices of the range.
        interval: Name of the interval, such as `5m`.
        candles: The candles of these prices that the view contains.
    """
    unconfirmed = (point.at for point in history.points if point.unconfirmed)
    return {
        "symbol": history.symbol,
        "interval": interval,
        "simulated": history.simulated,
        "unconfirmed_since": iso_time(next(unconfirmed, None)),
        "scale_changes": [{"at": iso_time(change.at), "factor": change.factor} for change in history.scale_changes],
        "candles": [candle_view(candle) for candle in candles],
    }
