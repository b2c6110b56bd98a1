"""The engines by name; each is imported only when it is chosen, for `ta` brings pandas."""

from collections.abc import Callable, Mapping
from typing import Literal

from financehub_medium_priority.indicators.columns import Column
from financehub_shared.core.models import Bars

#: Bars (at least one) → output name → one value a bar; what an engine says before a value is defined is masked later.
Engine = Callable[[Bars], Mapping[str, Column]]
EngineName = Literal["talib", "ta"]


def load_engine(name: EngineName) -> Engine:
    """The engine of this name."""
    if name == "ta":
        from financehub_medium_priority.indicators import ta_engine

        return ta_engine.calculate
    from financehub_medium_priority.indicators import talib_engine

    return talib_engine.calculate
