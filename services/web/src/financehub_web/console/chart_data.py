"""What a chart shows: the lines and panes that a reader can choose, and the columns of a series as JSON."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from financehub_shared.core.days import iso_day
from financehub_shared.core.durations import DAY_SECONDS, WEEK_SECONDS
from financehub_shared.core.models import Bars, Indicators
from financehub_web.console.price_series import PriceSeries

#: Range in the address → (seconds, interval of the candles), for the ranges that show intraday prices.
INTRADAY: Mapping[str, tuple[float, str]] = {"1d": (DAY_SECONDS, "15m"), "1w": (WEEK_SECONDS, "1h")}
#: Range in the address → number of days that the chart shows at first, for the ranges that show daily bars. 0 is all.
RANGES: Mapping[str, int] = {"1m": 31, "3m": 92, "6m": 183, "1y": 366, "all": 0}

#: Line over the prices → (label, indicators).
LINES: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "sma_20": ("SMA 20", ("sma_20",)),
    "sma_50": ("SMA 50", ("sma_50",)),
    "sma_200": ("SMA 200", ("sma_200",)),
    "ema_12": ("EMA 12", ("ema_12",)),
    "ema_26": ("EMA 26", ("ema_26",)),
    "bollinger": ("Bollinger bands", ("bollinger_upper", "bollinger_middle", "bollinger_lower")),
    "vwap_14": ("VWAP 14", ("vwap_14",)),
    "psar": ("Parabolic SAR", ("psar",)),
}
#: Pane below the prices → (label, indicators).
PANES: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "rsi_14": ("RSI 14", ("rsi_14",)),
    "macd": ("MACD", ("macd", "macd_signal", "macd_histogram")),
    "stochastic": ("Stochastic", ("stochastic_k", "stochastic_d")),
    "adx_14": ("ADX 14", ("adx_14",)),
    "atr_14": ("ATR 14", ("atr_14",)),
    "obv": ("OBV", ("obv",)),
}
#: Indicator → its name for people.
LABELS: Mapping[str, str] = {
    "sma_20": "Simple moving average, 20 days",
    "sma_50": "Simple moving average, 50 days",
    "sma_200": "Simple moving average, 200 days",
    "ema_12": "Exponential moving average, 12 days",
    "ema_26": "Exponential moving average, 26 days",
    "macd": "MACD",
    "macd_signal": "MACD signal",
    "macd_histogram": "MACD histogram",
    "rsi_14": "Relative strength index, 14 days",
    "bollinger_upper": "Bollinger band, upper",
    "bollinger_middle": "Bollinger band, middle",
    "bollinger_lower": "Bollinger band, lower",
    "bollinger_width": "Bollinger width in percent",
    "atr_14": "Average true range, 14 days",
    "adx_14": "Average directional index, 14 days",
    "stochastic_k": "Stochastic %K",
    "stochastic_d": "Stochastic %D",
    "obv": "On-balance volume",
    "vwap_14": "Volume-weighted average, 14 days",
    "ichimoku_conversion": "Ichimoku conversion line",
    "ichimoku_base": "Ichimoku base line",
    "ichimoku_span_a": "Ichimoku span A",
    "ichimoku_span_b": "Ichimoku span B",
    "psar": "Parabolic SAR",
}


def chart_columns(bars: Bars, indicators: Indicators | None) -> dict[str, Any]:
    """Return the bars and the indicators of an asset as columns, with null for a value that is not defined."""
    columns: dict[str, Any] = {"days": [iso_day(day) for day in bars.days]}
    for name in ("open", "high", "low", "close", "volume"):
        columns[name] = _finite(getattr(bars, name))
    return {
        "bars": columns,
        "indicators": {
            "days": [iso_day(day) for day in indicators.days] if indicators else [],
            "series": {name: _finite(column) for name, column in indicators.series.items()} if indicators else {},
        },
    }


def candle_columns(series: PriceSeries) -> dict[str, Any]:
    """Return intraday prices in the same form, with times in Unix seconds and without volumes and indicators."""
    columns: dict[str, Any] = {"days": list(series.seconds or ()), "volume": [None] * len(series.times)}
    for name in ("open", "high", "low", "close"):
        columns[name] = _finite(getattr(series, name))
    return {"bars": columns, "indicators": {"days": [], "series": {}}}


def _finite(column: Sequence[float]) -> list[float | None]:
    return [value if math.isfinite(value) else None for value in column]
