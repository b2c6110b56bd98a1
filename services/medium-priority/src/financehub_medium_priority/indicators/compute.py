"""Computes one asset's indicator record from its bars. Pure."""

import math
from array import array

import numpy as np

from financehub_medium_priority.indicators.engines import Engine, EngineName
from financehub_medium_priority.indicators.outputs import OSCILLATORS, OUTPUTS, PRICE_OUTPUTS, Column, Prices, column
from financehub_shared.core.models import Bars, Indicators

RSI = list(OUTPUTS).index("rsi_14")
#: One row per output, which is 1 if the output has the unit of the prices and otherwise 0.
_IN_PRICES = np.array([[int(output in PRICE_OUTPUTS)] for output in OUTPUTS])
#: Number of bars before the first value of the output that needs the longest history.
_LONGEST_START = max(OUTPUTS.values()) - 1
_OSCILLATORS = [row for row, output in enumerate(OUTPUTS) if output in OSCILLATORS]


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
        EngineError: The engine cannot compute the indicators of these bars precisely.
    """
    if not len(bars):
        raise ValueError(f"{bars.symbol}: no bars; at least one is required to compute indicators")
    prices, exponent = _scaled_prices(bars)
    columns = engine(prices)
    start = max(len(bars) - series, 0)
    # One block for all outputs is faster than 24 small arrays.
    block = np.array([columns[output][start:] for output in OUTPUTS])
    if start < _LONGEST_START:
        for row, first in enumerate(OUTPUTS.values()):
            block[row, : max(first - 1 - start, 0)] = np.nan
    block[RSI, : max(_first_move(column(bars.close)) - start, 0)] = np.nan
    block = np.ldexp(block, exponent * _IN_PRICES)
    block[~np.isfinite(block)] = np.nan
    # Because of rounding, a %K of 100 can become larger by one bit.
    block[_OSCILLATORS] = np.clip(block[_OSCILLATORS], 0, 100)
    return Indicators(
        symbol=bars.symbol,
        engine=name,
        computed_at=computed_at,
        first_day=bars.days[0],
        last_day=bars.days[-1],
        bars=len(bars),
        days=bars.days[start:],
        series=dict(zip(OUTPUTS, _as_arrays(block), strict=True)),
    )


def _scaled_prices(bars: Bars) -> tuple[Prices, int]:
    """Return the prices divided by 2^exponent, and the exponent. The lowest price becomes a number between 1 and 2.

    Engines treat differences below a fixed limit (1e-14 in TA-Lib) as zero, which would make the bands of a coin at
    1e-8 USD collapse. A division by a power of two is exact, so results do not depend on the unit of the prices.
    """
    high, low, close = (column(values) for values in (bars.high, bars.low, bars.close))
    # Earlier releases stored bars whose close is outside their range. The asset was traded at the close, so
    # the range must include it. Otherwise %K would be below 0 or above 100.
    high, low = np.maximum(high, close), np.minimum(low, close)
    exponent = math.frexp(low.min())[1] - 1
    high, low, close = (np.ldexp(values, -exponent) for values in (high, low, close))
    return Prices(high, low, close, column(bars.volume)), exponent


def _first_move(close: Column) -> int:
    """Return the index of the first close that differs from the initial one, or the number of bars if none does."""
    moved = close != close[0]
    return int(moved.argmax()) if moved.any() else len(close)


def _as_arrays(block: Column) -> list["array[float]"]:
    values = array("d")
    values.frombytes(block.tobytes())
    length = block.shape[1]
    return [values[start : start + length] for start in range(0, len(values), length)]
