"""Computes indicators with TA-Lib, the standard C library, which is about 200 times as fast as `ta`.

TA-Lib lacks Ichimoku and its Stochastic loses values, so this module computes both from TA-Lib's rolling extremes.
"""

from collections.abc import Mapping

import numpy as np
import talib

from financehub_medium_priority.indicators.outputs import Column, column
from financehub_shared.core.models import Bars


def calculate(bars: Bars) -> Mapping[str, Column]:
    """Compute all outputs of one asset; formulas and parameters are in docs/indicators.md."""
    high, low, close, volume = (column(values) for values in (bars.high, bars.low, bars.close, bars.volume))
    macd, signal, histogram = talib.MACD(close, fastperiod=12, slowperiod=26, signalperiod=9)
    upper, middle, lower = talib.BBANDS(close, timeperiod=20, nbdevup=2, nbdevdn=2)
    highest, lowest = talib.MAX(high, 14), talib.MIN(low, 14)
    conversion, base = _middle(high, low, 9), _middle(high, low, 26)
    with np.errstate(divide="ignore", invalid="ignore"):
        k = 100 * (close - lowest) / (highest - lowest)
        vwap = _sum((high + low + close) / 3 * volume, 14) / _sum(volume, 14)
        width = 100 * (upper - lower) / middle
    return {
        "sma_20": talib.SMA(close, 20),
        "sma_50": talib.SMA(close, 50),
        "sma_200": talib.SMA(close, 200),
        "ema_12": talib.EMA(close, 12),
        "ema_26": talib.EMA(close, 26),
        "macd": macd,
        "macd_signal": signal,
        "macd_histogram": histogram,
        "rsi_14": talib.RSI(close, 14),
        "bollinger_upper": upper,
        "bollinger_middle": middle,
        "bollinger_lower": lower,
        "bollinger_width": width,
        "atr_14": talib.ATR(high, low, close, 14),
        "adx_14": talib.ADX(high, low, close, 14),
        "stochastic_k": k,
        "stochastic_d": _mean_of_three(k),
        "obv": talib.OBV(close, volume),
        "vwap_14": vwap,
        "ichimoku_conversion": conversion,
        "ichimoku_base": base,
        "ichimoku_span_a": (conversion + base) / 2,
        "ichimoku_span_b": _middle(high, low, 52),
        "psar": talib.SAR(high, low, acceleration=0.02, maximum=0.2),
    }


def _middle(high: Column, low: Column, bars: int) -> Column:
    middle: Column = (talib.MAX(high, bars) + talib.MIN(low, bars)) / 2
    return middle


def _sum(values: Column, bars: int) -> Column:
    """Sum each window separately, because TA-Lib's running sum does not return to 0 after large volumes."""
    total = np.full_like(values, np.nan)
    if len(values) >= bars:
        total[bars - 1 :] = np.convolve(values, np.ones(bars), "valid")
    return total


def _mean_of_three(values: Column) -> Column:
    """Compute the mean directly, because TA-Lib's running mean stays NaN after one NaN (14 equal prices)."""
    mean = np.full_like(values, np.nan)
    mean[2:] = (values[2:] + values[1:-1] + values[:-2]) / 3
    return mean
