"""The view of the daily bars of an asset."""

from typing import Annotated

from typing_extensions import TypedDict

from financehub_shared.core.days import iso_day
from financehub_shared.core.models import Bars
from financehub_shared.views.fields import Field
from financehub_shared.views.formats import Day


class BarView(TypedDict):
    """The prices and the volume of one day."""

    day: Annotated[Day, Field(description="The day in UTC.")]
    open: Annotated[float, Field(description="The first price of the day in the currency of the asset.")]
    high: Annotated[float, Field(description="The highest price of the day in the currency of the asset.")]
    low: Annotated[float, Field(description="The lowest price of the day in the currency of the asset.")]
    close: Annotated[float, Field(description="The last price of the day in the currency of the asset.")]
    volume: Annotated[float, Field(description="The volume of the day in units of the asset.")]


class BarsView(TypedDict):
    """The daily bars of one asset."""

    symbol: Annotated[str, Field(description="The canonical symbol of the asset.", examples=["AAPL"])]
    provider: Annotated[str, Field(description="The provider of the newest bars.", examples=["yahoo"])]
    count: Annotated[int, Field(description="The number of stored bars.")]
    first_day: Annotated[Day, Field(description="The day of the oldest stored bar.")]
    last_day: Annotated[Day, Field(description="The day of the newest stored bar.")]
    age_days: Annotated[int, Field(description="The number of days from `last_day` until today in UTC.")]
    bars: Annotated[list[BarView], Field(description="The selected bars, oldest first.")]


def bar_view(stored: Bars, row: int) -> BarView:
    """Return the view of one bar.

    Args:
        stored: The bars of an asset.
        row: Index of the bar.
    """
    return {
        "day": iso_day(stored.days[row]),
        "open": stored.open[row],
        "high": stored.high[row],
        "low": stored.low[row],
        "close": stored.close[row],
        "volume": stored.volume[row],
    }


def bars_view(stored: Bars, today: int, rows: range) -> BarsView:
    """Return the view of the bars of an asset.

    Args:
        stored: The bars of the asset, at least one.
        today: The current day in days since 1970-01-01.
        rows: Indexes of the bars that the view contains, such as `last_rows(len(stored), 10)`.
    """
    return {
        "symbol": stored.symbol,
        "provider": stored.provider,
        "count": len(stored),
        "first_day": iso_day(stored.days[0]),
        "last_day": iso_day(stored.days[-1]),
        "age_days": today - stored.days[-1],
        "bars": [bar_view(stored, row) for row in rows],
    }


def last_rows(length: int, last: int) -> range:
    """Return the indexes of the last rows of a series.

    Args:
        length: Number of rows of the series.
        last: Maximum number of rows.
    """
    return range(max(0, length - last), length)
