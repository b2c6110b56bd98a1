"""Selects the indicator engine. An engine is imported only when it is chosen, because `ta` imports pandas."""

from collections.abc import Callable, Mapping
from typing import Literal

from financehub_medium_priority.indicators.outputs import Column, Prices

#: Maps prices (at least one bar) to one value per bar for each output; undefined values are masked later.
Engine = Callable[[Prices], Mapping[str, Column]]
EngineName = Literal["talib", "ta"]


def load_engine(name: EngineName) -> Engine:
    """Import and return the engine of this name."""
    if name == "ta":
        from financehub_medium_priority.indicators import ta_engine

        return ta_engine.calculate
    from financehub_medium_priority.indicators import talib_engine

    return talib_engine.calculate
