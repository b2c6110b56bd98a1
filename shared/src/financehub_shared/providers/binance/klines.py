"""Converts Binance klines to bars. Pure. It converts whole columns, because a cold start reads 500,000 rows."""

from array import array
from collections.abc import Sequence
from typing import Any

from financehub_shared.core.durations import DAY_SECONDS
from financehub_shared.core.errors import MalformedError
from financehub_shared.core.models import Bars
from financehub_shared.providers.transport import parse
from financehub_shared.providers.usd import DailyRates

DAY_MS = DAY_SECONDS * 1_000
#: A day in the year 2158. A later timestamp is in another unit (microseconds) or wrong.
DAY_MAX = 69_000


def empty_bars(symbol: str, provider: str) -> Bars:
    """Return empty bars to which klines can be appended."""
    return Bars(symbol, provider, array("i"), array("d"), array("d"), array("d"), array("d"), array("d"))


def append_klines(bars: Bars, rows: Sequence[Any], rates: DailyRates | None) -> None:
    """Append one page of klines. Each has the open time in ms, open, high, low, close, volume and unused fields.

    Args:
        bars: The bars of the previous pages.
        rows: The page.
        rates: Converts USDT to USD for each day. Days before its first day are left out, because a bar in USDT would be
            mistaken for one in USD. None if prices are already in the asset's currency.

    Raises:
        MalformedError: A row does not have the shape of a kline, or days do not ascend. Nothing was appended.
    """
    what = f"{bars.symbol} klines"
    if not rows:
        return
    if not all(isinstance(row, list) and len(row) >= 6 for row in rows):
        raise MalformedError(bars.provider, f"{what}: a row is not an array of 6 or more values")
    columns = zip(*(row[:6] for row in rows), strict=True)
    times, *prices, volumes = (parse.reals(bars.provider, column, what) for column in columns)
    days = [int(time // DAY_MS) for time in times]
    before = [bars.days[-1] if bars.days else -1, *days]
    if days[-1] > DAY_MAX or any(day >= following for day, following in zip(before, days, strict=False)):
        raise MalformedError(bars.provider, f"{what}: days do not ascend")
    factors = [1.0 if rates is None else rates.at(day) for day in days]
    known = [index for index, factor in enumerate(factors) if factor is not None]
    bars.days.extend(days[index] for index in known)
    bars.volume.extend(volumes[index] for index in known)
    for column, figures in zip((bars.open, bars.high, bars.low, bars.close), prices, strict=True):
        column.extend(figure * factor for figure, factor in zip(figures, factors, strict=True) if factor is not None)
