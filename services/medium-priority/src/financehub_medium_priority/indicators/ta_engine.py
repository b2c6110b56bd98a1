"""Computes indicators with `ta`, which is pure Python on pandas: slow but readable, and the reference in the tests.

In version 0.11.0, the parabolic SAR is silently wrong unless the index is a RangeIndex (issue 348). ATR and ADX raise
on short histories and start with zeros.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from ta import momentum, trend, volatility, volume

from financehub_medium_priority.indicators.outputs import OUTPUTS, Column, column
from financehub_shared.core.models import Bars


def calculate(bars: Bars) -> Mapping[str, Column]:
    """Compute all outputs of one asset; formulas and parameters are in docs/indicators.md."""
    high, low, close, traded = (
        pd.Series(column(values), index=pd.RangeIndex(len(bars)))
        for values in (bars.high, bars.low, bars.close, bars.volume)
    )
    macd = trend.MACD(close, window_slow=26, window_fast=12, window_sign=9)
    bollinger = volatility.BollingerBands(close, window=20, window_dev=2)
    stochastic = momentum.StochasticOscillator(high, low, close, window=14, smooth_window=3)
    ichimoku = trend.IchimokuIndicator(high, low, window1=9, window2=26, window3=52)
    vwap = volume.VolumeWeightedAveragePrice(high, low, close, traded, window=14)
    outputs = {
        "sma_20": trend.SMAIndicator(close, 20).sma_indicator(),
        "sma_50": trend.SMAIndicator(close, 50).sma_indicator(),
        "sma_200": trend.SMAIndicator(close, 200).sma_indicator(),
        "ema_12": trend.EMAIndicator(close, 12).ema_indicator(),
        "ema_26": trend.EMAIndicator(close, 26).ema_indicator(),
        "macd": macd.macd(),
        "macd_signal": macd.macd_signal(),
        "macd_histogram": macd.macd_diff(),
        "rsi_14": momentum.RSIIndicator(close, 14).rsi(),
        "bollinger_upper": bollinger.bollinger_hband(),
        "bollinger_middle": bollinger.bollinger_mavg(),
        "bollinger_lower": bollinger.bollinger_lband(),
        "bollinger_width": bollinger.bollinger_wband(),
        "stochastic_k": stochastic.stoch(),
        "stochastic_d": stochastic.stoch_signal(),
        "obv": volume.OnBalanceVolumeIndicator(close, traded).on_balance_volume(),
        "vwap_14": vwap.volume_weighted_average_price(),
        "ichimoku_conversion": ichimoku.ichimoku_conversion_line(),
        "ichimoku_base": ichimoku.ichimoku_base_line(),
        "ichimoku_span_a": ichimoku.ichimoku_a(),
        "ichimoku_span_b": ichimoku.ichimoku_b(),
        "psar": trend.PSARIndicator(high, low, close, step=0.02, max_step=0.2).psar(),
    }
    if len(bars) >= OUTPUTS["atr_14"]:
        outputs["atr_14"] = volatility.AverageTrueRange(high, low, close, 14).average_true_range()
    if len(bars) >= OUTPUTS["adx_14"]:
        outputs["adx_14"] = trend.ADXIndicator(high, low, close, 14).adx()
    undefined = np.full(len(bars), np.nan)
    return {name: outputs[name].to_numpy(np.float64) if name in outputs else undefined for name in OUTPUTS}
