"""Columns of bars as numpy sees them: what the engines take and give."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Column = NDArray[np.float64]


def column(values: Any) -> Column:
    """A column of bars, without a copy."""
    return np.frombuffer(values, dtype=np.float64)
