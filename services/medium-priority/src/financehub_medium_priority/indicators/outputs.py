"""Names of all indicator outputs, the bars that each needs, and the columns that the engines exchange.

docs/indicators.md explains the outputs.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

Column = NDArray[np.float64]

#: Output → number of bars up to its first defined value; earlier values are NaN.
OUTPUTS: Mapping[str, int] = {
    "sma_20": 20,
    "sma_50": 50,
    "sma_200": 200,
    "ema_12": 12,
    "ema_26": 26,
    "macd": 34,
    "macd_signal": 34,
    "macd_histogram": 34,
    "rsi_14": 15,
    "bollinger_upper": 20,
    "bollinger_middle": 20,
    "bollinger_lower": 20,
    "bollinger_width": 20,
    "atr_14": 15,
    "adx_14": 28,
    "stochastic_k": 14,
    "stochastic_d": 16,
    "obv": 1,
    "vwap_14": 14,
    "ichimoku_conversion": 9,
    "ichimoku_base": 26,
    "ichimoku_span_a": 26,
    "ichimoku_span_b": 52,
    "psar": 3,
}


def column(values: Any) -> Column:
    """Return a column of bars as a numpy array, without a copy."""
    return np.frombuffer(values, dtype=np.float64)
