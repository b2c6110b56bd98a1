"""The prices of a chart: the daily bars of an asset, or candles of its intraday prices."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from financehub_shared.core.days import iso_day
from financehub_shared.core.models import Bars, Candle
from financehub_shared.views.formats import iso_time
from financehub_web.console.sparklines import line_path

#: Number of rows of the table next to a chart.
_TABLE_ROWS = 30


@dataclass(frozen=True, slots=True)
class PriceSeries:
    """Columns of equal length, oldest first.

    Args:
        times: The days, or the starts of the intervals, in ISO 8601.
        open, high, low, close: Prices in the currency of the asset.
        volume: Volumes in units of the asset. None if they are not known.
        seconds: Starts of the intervals in Unix seconds. None for days.
    """

    times: Sequence[str]
    open: Sequence[float]
    high: Sequence[float]
    low: Sequence[float]
    close: Sequence[float]
    volume: Sequence[float] | None = None
    seconds: Sequence[float] | None = None

    def summary(self) -> dict[str, Any]:
        """Return the figures of a caption, and the line that is drawn without JavaScript."""
        return {
            "path": line_path(self.close),
            "count": len(self.times),
            "from": self.times[0],
            "to": self.times[-1],
            "low": min(self.low),
            "high": max(self.high),
            "last": self.close[-1],
        }

    def newest_rows(self) -> list[dict[str, Any]]:
        """Return the rows of the table, newest first."""
        names = ("open", "high", "low", "close")
        return [
            {
                "time": self.times[row],
                "volume": self.volume[row] if self.volume else None,
                **{name: getattr(self, name)[row] for name in names},
            }
            for row in range(len(self.times) - 1, max(-1, len(self.times) - 1 - _TABLE_ROWS), -1)
        ]


def daily_series(bars: Bars | None, days: int) -> PriceSeries | None:
    """Return the bars of the last days of an asset, or None if it has none.

    Args:
        bars: All bars.
        days: Number of days before the newest bar. 0 is all.
    """
    if bars is None or not len(bars):
        return None
    first = next(row for row, day in enumerate(bars.days) if not days or day > bars.days[-1] - days)
    columns = (getattr(bars, name)[first:] for name in ("open", "high", "low", "close", "volume"))
    return PriceSeries([iso_day(day) for day in bars.days[first:]], *columns)


def intraday_series(candles: Sequence[Candle]) -> PriceSeries | None:
    """Return candles as a series, or None if there are none."""
    if not candles:
        return None
    return PriceSeries(
        [iso_time(candle.at) or "" for candle in candles],
        [candle.open for candle in candles],
        [candle.high for candle in candles],
        [candle.low for candle in candles],
        [candle.close for candle in candles],
        seconds=[candle.at for candle in candles],
    )
