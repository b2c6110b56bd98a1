"""Folds price points into candles: open, high, low and close of each interval. Pure."""

import math
from collections.abc import Mapping, Sequence

from financehub_shared.core.durations import DAY_SECONDS, HOUR_SECONDS, MINUTE_SECONDS
from financehub_shared.core.models import Candle, PricePoint

#: Interval → its seconds. Intervals begin at multiples of their length since 1970-01-01, so a day is a day in UTC.
INTERVALS: Mapping[str, int] = {
    "1m": MINUTE_SECONDS,
    "5m": 5 * MINUTE_SECONDS,
    "15m": 15 * MINUTE_SECONDS,
    "1h": HOUR_SECONDS,
    "1d": DAY_SECONDS,
}
#: Longest time range of a history. Prices are never kept longer.
MAX_RANGE_DAYS = 366


def interval_seconds(interval: str) -> int:
    """Return the length of an interval.

    Raises:
        ValueError: The interval is unknown. The message lists the known ones.
    """
    if interval not in INTERVALS:
        raise ValueError(f"unknown interval {interval[:20]!r}; choose one of {', '.join(INTERVALS)}")
    return INTERVALS[interval]


def check_range(start: float, end: float) -> None:
    """Check a time range.

    Args:
        start: Start in Unix seconds, inclusive.
        end: End in Unix seconds, exclusive.

    Raises:
        ValueError: A time is not a finite number, the range is empty or longer than `MAX_RANGE_DAYS`.
    """
    if not (math.isfinite(start) and math.isfinite(end)):
        raise ValueError("the times of a range must be finite numbers")
    if start >= end:
        raise ValueError("the start of the range must be before its end")
    if end - start > MAX_RANGE_DAYS * DAY_SECONDS:
        raise ValueError(f"the range is longer than {MAX_RANGE_DAYS} days; choose a later start or an earlier end")


def whole_intervals(start: float, end: float, seconds: int) -> tuple[float, float]:
    """Return the range of all intervals that a range touches, so that the first and the last candle are complete.

    Args:
        start: Start of the range in Unix seconds, inclusive.
        end: End of the range in Unix seconds, exclusive.
        seconds: Length of an interval in seconds.
    """
    return math.floor(start / seconds) * seconds, math.ceil(end / seconds) * seconds


def fold(points: Sequence[PricePoint], seconds: int) -> list[Candle]:
    """Return the candles of the intervals that contain a price, in ascending order. The other intervals are left out.

    Args:
        points: The price points in ascending order of time.
        seconds: Length of an interval in seconds.
    """
    candles: list[Candle] = []
    begin, end = 0.0, -math.inf
    first = highest = lowest = last = 0.0
    count = 0
    for at, price, _ in points:
        if at < end:
            if price > highest:
                highest = price
            elif price < lowest:
                lowest = price
            last = price
            count += 1
            continue
        if count:
            candles.append(Candle(begin, first, highest, lowest, last, count))
        begin = at // seconds * seconds
        end = begin + seconds
        first = highest = lowest = last = price
        count = 1
    if count:
        candles.append(Candle(begin, first, highest, lowest, last, count))
    return candles
