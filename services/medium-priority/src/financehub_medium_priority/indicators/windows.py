"""Computes sums, means and deviations of rolling windows, each window from its own values only.

Running sums, as in TA-Lib and pandas, add the newest value and subtract the oldest. They keep the rounding errors of
all earlier values. After prices have fallen by many orders of magnitude, these errors exceed the prices themselves.
"""

import numpy as np

from financehub_medium_priority.indicators.outputs import Column


def rolling_sum(values: Column, bars: int) -> Column:
    """Return the sum of the last `bars` values for each bar, or NaN if there are fewer values."""
    total = np.full_like(values, np.nan)
    if len(values) >= bars:
        total[bars - 1 :] = np.correlate(values, np.ones(bars), "valid")
    return total


def rolling_mean(values: Column, bars: int) -> Column:
    """Return the mean of the last `bars` values for each bar, or NaN if there are fewer values."""
    return rolling_sum(values, bars) / bars


def rolling_deviation(values: Column, mean: Column, bars: int) -> Column:
    """Return the population standard deviation of the last `bars` values for each bar. NaN if there are fewer values.

    Args:
        values: One value per bar, in contiguous memory.
        mean: `rolling_mean` of the same values and number of bars.
        bars: Number of bars in a window.
    """
    deviation = np.full_like(values, np.nan)
    count = len(values) - bars + 1
    if count > 0:
        # Row i contains the i-th value of every window. Long rows are faster than one short row per window. NumPy's
        # sliding_window_view takes longer than all of the arithmetic here.
        step = values.strides[0]
        windows = np.ndarray((bars, count), values.dtype, values, strides=(step, step))
        distances = windows - mean[bars - 1 :]
        distances *= distances
        deviation[bars - 1 :] = np.sqrt(distances.sum(axis=0) / bars)
    return deviation
