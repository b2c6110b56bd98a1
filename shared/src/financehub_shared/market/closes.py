"""Thins the prices of a day to about thirty, enough for the line next to a price in a table. Pure."""

import math
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from financehub_shared.core.durations import DAY_SECONDS
from financehub_shared.core.models import PricePoint
from financehub_shared.market.encoding.history import all_prices, is_simulated_record, plain_times, price_at
from financehub_shared.market.history_candles import INTERVALS, fold
from financehub_shared.market.quality.history_scale import STEP_MIN

#: Largest number of points, unless the hours of the range are more.
MOST_POINTS = 32


@dataclass(frozen=True, slots=True)
class Closes:
    """The last price of each interval that has one, oldest first: the closes of the candles of the same interval.

    Args:
        interval: Name of the interval, such as `1h`.
        points: (start of the interval in Unix seconds, last price in it).
    """

    interval: str
    points: Sequence[tuple[float, float]]


def closes_of(points: Sequence[PricePoint]) -> Closes | None:
    """Return the closes of price points in ascending order of time, or None if there are none."""
    if not points:
        return None
    interval = _interval(points[0].at, points[-1].at, len(points))
    return Closes(interval, [(candle.at, candle.close) for candle in fold(points, INTERVALS[interval])])


def plain_closes(days: Sequence[tuple[int, bytes]], start: float, end: float, *, has_scale: bool) -> Closes | None:
    """Return the closes of stored records, or None if a rule of the history may change them or there are none.

    This takes a hundredth of the time of reading every record.

    Args:
        days: (day since 1970-01-01, its records), oldest first, none of them empty.
        start: Start of the range in Unix seconds, inclusive.
        end: End of the range in Unix seconds, exclusive.
        has_scale: Whether a large step of the prices may be a change of their scale (`build_history`).
    """
    parts = [_Part(day * DAY_SECONDS, blob, times) for day, blob in days if (times := plain_times(blob)) is not None]
    if len(parts) < len(days) or len({is_simulated_record(part.blob) for part in parts}) > 1:
        return None
    if has_scale and not _is_steady([price for part in parts for price in all_prices(part.blob)]):
        return None
    for part in parts:
        part.cut(start, end)
    parts = [part for part in parts if part.first < part.stop]
    if not parts:
        return None
    count = sum(part.stop - part.first for part in parts)
    interval = _interval(parts[0].at(parts[0].first), parts[-1].at(parts[-1].stop - 1), count)
    points = [point for part in parts for point in part.closes(INTERVALS[interval])]
    prices = [(at, price) for at, price in points if price is not None]
    return Closes(interval, prices) if len(prices) == len(points) else None


class _Part:
    """The records of one day.

    Args:
        midnight: Start of the day in Unix seconds.
        blob: The records.
        times: Their times in milliseconds since midnight, in ascending order.
    """

    def __init__(self, midnight: int, blob: bytes, times: Sequence[int]) -> None:
        self.blob = blob
        self._midnight = midnight
        self._times = times
        #: Indexes of the first record in the range, and of the first one after it.
        self.first, self.stop = 0, len(times)

    def cut(self, start: float, end: float) -> None:
        """Leave out the records that are not in a range of Unix seconds."""
        self.first, self.stop = (
            bisect_left(self._times, math.ceil((limit - self._midnight) * 1_000)) for limit in (start, end)
        )

    def at(self, index: int) -> float:
        """Return the time of a record in Unix seconds."""
        return self._midnight + self._times[index] / 1_000

    def closes(self, seconds: int) -> Iterator[tuple[float, float | None]]:
        """Yield the start of each interval that has a record, and its last price, or None if that is not a price."""
        step, index = seconds * 1_000, self.first
        while index < self.stop:
            interval = self._times[index] // step
            index = bisect_left(self._times, (interval + 1) * step, index, self.stop)
            yield float(self._midnight + interval * seconds), price_at(self.blob, index - 1)


def _interval(first: float, last: float, count: int) -> str:
    """Return the shortest interval of which there are few enough between the first and the last price."""
    if count <= MOST_POINTS:
        return "1m"
    return next(
        (name for name in ("5m", "15m") if last // INTERVALS[name] - first // INTERVALS[name] < MOST_POINTS), "1h"
    )


def _is_steady(prices: Sequence[float]) -> bool:
    """Whether no two prices differ so much that there may be a change of scale between them."""
    return all(map(math.isfinite, prices)) and 0 < max(prices, default=1) < min(prices, default=1) * STEP_MIN
