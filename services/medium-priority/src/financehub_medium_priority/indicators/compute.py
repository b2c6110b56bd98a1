"""Computes one asset's indicator record from its bars. Pure."""

from array import array

import numpy as np

from financehub_medium_priority.indicators.engines import Engine, EngineName
from financehub_medium_priority.indicators.outputs import OUTPUTS, Column, column
from financehub_shared.core.models import Bars, Indicators

RSI = list(OUTPUTS).index("rsi_14")


def compute(bars: Bars, engine: Engine, name: EngineName, series: int, computed_at: float) -> Indicators:
    """Compute the indicators of one asset.

    A value is NaN if it is undefined: before its indicator has enough bars, and if its formula divides by zero (RSI
    and Stochastic of a constant price, VWAP without volume).

    Args:
        bars: At least one bar; a short history yields fewer defined values.
        engine: An engine loaded by `engines.load_engine`.
        name: Name of the engine, stored in the record.
        series: Number of newest values to keep per output.
        computed_at: Unix seconds.

    Raises:
        ValueError: There are no bars.
    """
    if not len(bars):
        raise ValueError(f"{bars.symbol}: no bars; at least one is required to compute indicators")
    columns = engine(bars)
    start = max(len(bars) - series, 0)
    # One block for all outputs is faster than 24 small arrays.
    block = np.empty((len(OUTPUTS), len(bars) - start))
    for row, (output, first) in enumerate(OUTPUTS.items()):
        block[row] = columns[output][start:]
        block[row, : max(first - 1 - start, 0)] = np.nan
    block[RSI, : max(_first_move(column(bars.close)) - start, 0)] = np.nan
    block[~np.isfinite(block)] = np.nan
    return Indicators(
        symbol=bars.symbol,
        engine=name,
        computed_at=computed_at,
        first_day=bars.days[0],
        last_day=bars.days[-1],
        bars=len(bars),
        days=bars.days[start:],
        series=dict(zip(OUTPUTS, map(_as_array, block), strict=True)),
    )


def _first_move(close: Column) -> int:
    """Return the index of the first close that differs from the initial one, or the number of bars if none does."""
    moved = close != close[0]
    return int(moved.argmax()) if moved.any() else len(close)


def _as_array(values: Column) -> "array[float]":
    kept = array("d")
    kept.frombytes(values.tobytes())
    return kept
