"""Real daily bars that packages contain, read without pandas.

- `bokeh_sampledata` (BSD-3, the data is in the public domain): AAPL, FB, GOOG, IBM and MSFT to March 2013, not adjusted
  for splits;
- `arch` (University of Illinois/NCSA): S&P 500 and NASDAQ from 1999 to 2018, and closes of the VIX and of crude oil.
"""

import csv
import gzip
from array import array
from collections.abc import Sequence
from datetime import date
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from financehub_shared.core.models import Bars

STOCKS = ("AAPL", "FB", "GOOG", "IBM", "MSFT")
INDICES = ("sp500", "nasdaq")
#: Histories that have only closes.
CLOSES = ("vix", "wti")
#: Symbol → date → new shares per old share, for all splits within the histories.
SPLITS = {
    "AAPL": {"2000-06-21": 2.0, "2005-02-28": 2.0},
    "MSFT": {"2003-02-18": 2.0},
}
_EPOCH = date(1970, 1, 1).toordinal()
_COLUMNS = ("open", "high", "low", "close", "volume")


def day_of(text: str) -> int:
    """Return a date in ISO 8601 as days since 1970-01-01."""
    return date.fromisoformat(text).toordinal() - _EPOCH


@cache
def real_bars(name: str) -> Bars:
    """Return a real history as its package contains it. The caller must not change its prices."""
    if name in STOCKS:
        from bokeh_sampledata import stocks

        data = getattr(stocks, name)
        return _bars(name, data["date"], [data[column] for column in _COLUMNS])
    rows = _rows_of_arch(name)
    dates = [_iso_date(row["Date"]) for row in rows]
    if name in INDICES:
        return _bars(name, dates, [[float(row[column.capitalize()]) for row in rows] for column in _COLUMNS])
    closes = [row[next(reversed(row))] for row in rows]
    known = [place for place, close in enumerate(closes) if close not in {"", "."}]
    prices = [float(closes[place]) for place in known]
    return _bars(name, [dates[place] for place in known], [prices] * 4 + [[0.0] * len(prices)])


def newest(bars: Bars, count: int) -> Bars:
    """Return the newest bars of a history."""
    return part(bars, len(bars) - count, len(bars))


def part(bars: Bars, start: int, end: int) -> Bars:
    """Return the bars with index `start` to `end`."""
    start = max(start, 0)
    return Bars(
        bars.symbol,
        bars.provider,
        bars.days[start:end],
        *(getattr(bars, name)[start:end] for name in _COLUMNS),
    )


def _rows_of_arch(name: str) -> list[dict[str, str]]:
    # The file is found without an import, because `arch` imports pandas and statsmodels.
    spec = find_spec("arch")
    if spec is None or not spec.submodule_search_locations:
        raise ImportError("the package arch is not installed; run `make install`")
    (path,) = (Path(spec.submodule_search_locations[0]) / "data" / name).glob("*.csv.gz")
    with gzip.open(path, "rt", encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def _iso_date(text: str) -> str:
    """Return a US date in ISO 8601: `1/31/2014` → `2014-01-31`."""
    month, day, year = text.split("/")
    return f"{year}-{month:0>2}-{day:0>2}"


def _bars(name: str, dates: Sequence[str], columns: Sequence[Sequence[float]]) -> Bars:
    return Bars(name, "yahoo", array("i", map(day_of, dates)), *(array("d", column) for column in columns))
