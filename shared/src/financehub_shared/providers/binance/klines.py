"""Reads Binance's klines. Pure. Whole columns are converted at once, because a cold start reads 500,000 rows."""

from collections.abc import Sequence
from itertools import islice
from typing import Any

from financehub_shared.core.durations import DAY_SECONDS
from financehub_shared.providers.bar_rows import BarRows
from financehub_shared.providers.transport import parse

DAY_MS = DAY_SECONDS * 1_000
#: A day in the year 2158. A later timestamp is in another unit (microseconds) or wrong.
DAY_MAX = 69_000
#: Number of values of a kline that are read; the others are unused.
_VALUES = 6


def add_klines(rows: BarRows, klines: Sequence[Any]) -> int | None:
    """Read one page of klines. Each has the open time in ms, open, high, low, close, volume and unused fields.

    Args:
        rows: The rows of the previous pages, to which the rows of this page are added.
        klines: The page.

    Returns:
        The newest day of the page in days since 1970-01-01, or None if no time can be read.
    """
    complete = [kline for kline in klines if isinstance(kline, list) and len(kline) >= _VALUES]
    if len(complete) < len(klines):
        rows.problems.append(f"{len(klines) - len(complete)} klines are not arrays of {_VALUES} or more values")
    if not complete:
        return None
    # A `zip` that is not strict ends with the shortest kline, which has all the values that are read.
    times, *cells = islice(zip(*complete, strict=False), _VALUES)
    days = _days(rows, times)
    rows.add(days, cells)
    return max((day for day in days if day is not None), default=None)


def _days(rows: BarRows, times: Sequence[Any]) -> Sequence[int | None]:
    """Return the day of each kline, or None if its time cannot be read."""
    if set(map(type, times)) == {int}:
        days = [time // DAY_MS for time in times]
        if min(days) >= 0 and max(days) <= DAY_MAX:
            return days
    return [_day(rows, time) for time in times]


def _day(rows: BarRows, time: Any) -> int | None:
    day = time // DAY_MS if type(time) is int else -1
    if 0 <= day <= DAY_MAX:
        return day
    rows.problems.append(f"the open time of a kline is {parse.describe(time)}; expected milliseconds")
    return None
