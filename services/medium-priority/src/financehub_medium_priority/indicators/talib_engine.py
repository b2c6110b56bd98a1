"""Computes indicators with TA-Lib, the standard C library, which is about 200 times as fast as `ta`.

TA-Lib lacks Ichimoku and its Stochastic loses values, so this module computes both from TA-Lib's rolling extremes.
Means and deviations come from `windows`, because the running sums of TA-Lib lose their precision when prices collapse.
MACD is the difference between the outputs `ema_12` and `ema_26`, because TA-Lib's own MACD begins its fast average 14
bars later.
"""

from collections.abc import Mapping

import numpy as np
import talib

from financehub_medium_priority.indicators.outputs import Column, Prices
from financehub_medium_priority.indicators.windows import rolling_deviation, rolling_mean, rolling_sum

#: Index of the 26th bar, which is the first bar with a MACD.
_MACD_START = 25


def calculate(prices: Prices) -> Mapping[str, Column]:
    """Compute all outputs of one asset; formulas and parameters are in docs/indicators.md."""
    high, low, close, volume = prices.high, prices.low, prices.close, prices.volume
    fast, slow = talib.EMA(close, 12), talib.EMA(close, 26)
    macd = fast - slow
    signal = _signal(macd)
    middle = rolling_mean(close, 20)
    deviation = rolling_deviation(close, middle, 20)
    highest, lowest = talib.MAX(high, 14), talib.MIN(low, 14)
    conversion, base = _middle(high, low, 9), _middle(high, low, 26)
    with np.errstate(divide="ignore", invalid="ignore"):
        k = 100 * (close - lowest) / (highest - lowest)
        vwap = rolling_sum((high + low + close) / 3 * volume, 14) / rolling_sum(volume, 14)
        width = 400 * deviation / middle
    return {
        "sma_20": middle,
        "sma_50": rolling_mean(close, 50),
        "sma_200": rolling_mean(close, 200),
        "ema_12": fast,
        "ema_26": slow,
        "macd": macd,
        "macd_signal": signal,
        "macd_histogram": macd - signal,
        "rsi_14": talib.RSI(close, 14),
        "bollinger_upper": middle + 2 * deviation,
        "bollinger_middle": middle,
        "bollinger_lower": middle - 2 * deviation,
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


def _signal(macd: Column) -> Column:
    """Return the exponential average of the MACD, which begins with the mean of the first 9 values of the MACD."""
    signal = np.full_like(macd, np.nan)
    if len(macd) > _MACD_START:
        signal[_MACD_START:] = talib.EMA(macd[_MACD_START:], 9)
    return signal


def _mean_of_three(values: Column) -> Column:
    """Compute the mean directly, because TA-Lib's running mean stays NaN after one NaN (14 equal prices)."""
    mean = np.full_like(values, np.nan)
    mean[2:] = (values[2:] + values[1:-1] + values[:-2]) / 3
    return mean
