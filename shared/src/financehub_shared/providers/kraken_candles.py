"""Reads Kraken's OHLC data. Pure."""

from typing import Any

from financehub_shared.core.durations import DAY_SECONDS
from financehub_shared.core.errors import MalformedError
from financehub_shared.providers.bar_rows import BarRows
from financehub_shared.providers.transport import parse


def read_candles(provider: str, pair: str, candles: Any) -> BarRows:
    """Read candles, each an array of time in seconds, open, high, low, close, vwap, volume and count.

    Args:
        provider: Name of the provider.
        pair: The requested pair, for errors.
        candles: The answer's value for the pair, or None if there is none.

    Raises:
        MalformedError: `candles` is not an array.
    """
    rows = BarRows(provider)
    found = parse.sequence(provider, candles, f"{pair}: the OHLC data")
    complete = [candle for candle in found if isinstance(candle, list) and len(candle) >= 7]
    if len(complete) < len(found):
        rows.problems.append(f"{len(found) - len(complete)} candles are not arrays of 7 or more values")
    if complete:
        times, *cells = zip(*((*candle[:5], candle[6]) for candle in complete), strict=True)
        rows.add([_day(rows, time) for time in times], cells)
    return rows


def _day(rows: BarRows, time: Any) -> int | None:
    try:
        return int(parse.seconds(rows.provider, time, "the time of a candle") // DAY_SECONDS)
    except MalformedError as error:
        rows.problems.append(error.detail)
        return None
