"""Computes indicators with `ta`, which is pure Python on pandas: slow but readable, and the reference in the tests.

In version 0.11.0, the parabolic SAR is silently wrong unless the index is a RangeIndex (issue 348). ATR and ADX raise
on short histories and start with zeros.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from ta import momentum, trend, volatility, volume

from financehub_medium_priority.indicators.outputs import OUTPUTS, Column, EngineError, Prices
from financehub_medium_priority.indicators.windows import rolling_deviation, rolling_mean, rolling_sum

#: Largest relative error that an output may have.
PRECISION = 1e-9


def calculate(prices: Prices) -> Mapping[str, Column]:
    """Compute all outputs of one asset; formulas and parameters are in docs/indicators.md.

    Raises:
        EngineError: The running sums of pandas lost their precision, because prices or volumes fell too far.
    """
    bars = len(prices.close)
    high, low, close, traded = (
        pd.Series(values, index=pd.RangeIndex(bars))
        for values in (prices.high, prices.low, prices.close, prices.volume)
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
    if bars >= OUTPUTS["atr_14"]:
        outputs["atr_14"] = volatility.AverageTrueRange(high, low, close, 14).average_true_range()
    if bars >= OUTPUTS["adx_14"]:
        outputs["adx_14"] = trend.ADXIndicator(high, low, close, 14).adx()
    undefined = np.full(bars, np.nan)
    columns = {name: outputs[name].to_numpy(np.float64) if name in outputs else undefined for name in OUTPUTS}
    _check_precision(columns, prices)
    return columns


def _check_precision(columns: Mapping[str, Column], prices: Prices) -> None:
    """Check the outputs that pandas computes with running sums against separate sums of each window.

    Raises:
        EngineError: The relative error of an output exceeds `PRECISION`.
    """
    middle = rolling_mean(prices.close, 20)
    deviation = rolling_deviation(prices.close, middle, 20)
    with np.errstate(divide="ignore", invalid="ignore"):
        typical = (prices.high + prices.low + prices.close) / 3
        vwap = rolling_sum(typical * prices.volume, 14) / rolling_sum(prices.volume, 14)
    exact = {
        "sma_20": middle,
        "sma_50": rolling_mean(prices.close, 50),
        "sma_200": rolling_mean(prices.close, 200),
        "bollinger_upper": middle + 2 * deviation,
        "bollinger_lower": middle - 2 * deviation,
        "vwap_14": vwap,
    }
    for name, expected in exact.items():
        scale = middle if name.startswith("bollinger") else expected
        with np.errstate(divide="ignore", invalid="ignore"):
            error = np.abs(columns[name] - expected) / scale
        worst = float(np.nanmax(error, initial=0.0))
        if worst > PRECISION:
            raise EngineError(
                f"{name} of the engine `ta` would be wrong by {worst:.1g} of its value, because prices or volumes fell "
                "too far for its running sums; set FINANCEHUB_INDICATOR_ENGINE=talib"
            )
