"""Names of all indicator outputs, the bars that each needs, and the prices that an engine receives.

docs/indicators.md explains the outputs.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from financehub_shared.core.errors import FinanceHubError

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

#: Outputs in the unit of the prices. The other outputs do not change if all prices are multiplied by a number.
PRICE_OUTPUTS = frozenset(OUTPUTS) - {
    "rsi_14",
    "bollinger_width",
    "adx_14",
    "stochastic_k",
    "stochastic_d",
    "obv",
}

#: Outputs between 0 and 100.
OSCILLATORS = frozenset({"rsi_14", "adx_14", "stochastic_k", "stochastic_d"})


class EngineError(FinanceHubError):
    """An engine cannot compute the indicators of some bars. The message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Prices:
    """The bars of one asset as columns for an engine. Every close is within the low and the high of its bar.

    Args:
        high, low, close: Prices in a unit in which the lowest price is between 1 and 2.
        volume: Traded units of the asset.
    """

    high: Column
    low: Column
    close: Column
    volume: Column


def column(values: Any) -> Column:
    """Return a column of bars as a numpy array, without a copy."""
    return np.frombuffer(values, dtype=np.float64)
