"""From bars to the record that is stored. Pure."""

from array import array

import numpy as np

from financehub_medium_priority.indicators.engines import Column, Engine, EngineName, column
from financehub_medium_priority.indicators.outputs import OUTPUTS
from financehub_shared.models import Bars, Indicators


def compute(bars: Bars, engine: Engine, name: EngineName, series: int, computed_at: float) -> Indicators:
    """Indicators of one asset.

    A value is NaN where it is not defined: before its first bar, and where its formula divides by nothing (RSI and
    Stochastic of a price that never moved, VWAP without volume).

    Args:
        bars: at least one; a short history gives what it can.
        engine: see `engines.load_engine`.
        name: the engine's name, for the record.
        series: how many of the newest values are kept.
        computed_at: Unix seconds.

    Raises:
        ValueError: there is no bar.
    """
    if not len(bars):
        raise ValueError(f"{bars.symbol}: no bars to compute indicators of")
    columns = engine(bars)
    close = column(bars.close)
    kept = {}
    for output, first in OUTPUTS.items():
        undefined = first - 1
        if output == "rsi_14":
            undefined = max(undefined, _first_move(close))
        kept[output] = _newest(columns[output], series, undefined)
    return Indicators(
        symbol=bars.symbol,
        engine=name,
        computed_at=computed_at,
        first_day=bars.days[0],
        last_day=bars.days[-1],
        bars=len(bars),
        days=bars.days[-series:],
        series=kept,
    )


def _first_move(close: Column) -> int:
    """Place of the first close that differs from the one before; the number of bars where none does."""
    moves = np.flatnonzero(close[1:] != close[:-1])
    return int(moves[0]) + 1 if len(moves) else len(close)


def _newest(values: Column, series: int, undefined: int) -> "array[float]":
    """The newest `series` values; the first `undefined` of all, and what is not finite, are NaN."""
    start = max(len(values) - series, 0)
    newest = np.array(values[start:], dtype=np.float64)
    newest[: max(undefined - start, 0)] = np.nan
    newest[~np.isfinite(newest)] = np.nan
    kept = array("d")
    kept.frombytes(newest.tobytes())
    return kept
