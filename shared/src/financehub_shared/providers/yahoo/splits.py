"""Corrects bars around a stock split. Pure.

Yahoo sometimes announces a split and leaves older bars in the old scale, or changes the scale on the wrong day.
"""

import math
from array import array
from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise

from financehub_shared.core.models import Bars

#: Smaller splits cannot be distinguished from a one-day price change.
RATIO_MIN = 1.4
#: Largest distance, in bars, between the announced day and the change of scale.
MAX_DISTANCE_BARS = 10
#: Largest price change on that day in addition to the split, as a natural logarithm.
MAX_MOVE = 0.25


def apply_missing_splits(bars: Bars, splits: Mapping[int, float]) -> tuple[Bars, list[str]]:
    """Rescale the bars before a split if a jump of the split's size shows that they are in the old scale.

    Args:
        bars: Bars in ascending order.
        splits: Day on which a split takes effect → new shares per old share (5 for a 5:1 split).

    Returns:
        The bars (the same object if they were correct), and a description of each correction.
    """
    corrections = []
    for day, ratio in sorted(splits.items()):
        shift = math.log(ratio) if ratio > 0 else 0.0
        if abs(shift) < math.log(RATIO_MIN):
            continue
        index = _missing_at(bars, day, shift)
        if index is not None:
            bars = _rescaled(bars, index, ratio)
            corrections.append(
                f"split {ratio:g}:1 of day {day} applied to the {index} bars before day {bars.days[index]}"
            )
    return bars, corrections


def _missing_at(bars: Bars, day: int, shift: float) -> int | None:
    """Return the index near `day` at which the close changes lastingly by the split ratio, or None if there is none."""
    levels = [math.log(close) if close > 0 else math.nan for close in bars.close]
    near = next((index for index, bar_day in enumerate(bars.days) if bar_day >= day), len(levels))
    changes = {index: now - last for index, (last, now) in enumerate(pairwise(levels), start=1)}
    candidates = [
        index
        for index, change in changes.items()
        if abs(index - near) <= MAX_DISTANCE_BARS and abs(change + shift) <= MAX_MOVE and _is_lasting(levels, index)
    ]
    return min(candidates, key=lambda index: abs(changes[index] + shift), default=None)


def _is_lasting(levels: list[float], index: int) -> bool:
    """Whether the bars before are at the old level and those after at the new one, so that the jump is lasting."""
    old, new = levels[index - 1], levels[index]
    before, after = levels[max(index - 4, 0) : index], levels[index : index + 4]
    return all(abs(level - old) < abs(level - new) for level in before) and all(
        abs(level - new) < abs(level - old) for level in after
    )


def _rescaled(bars: Bars, end: int, ratio: float) -> Bars:
    def scaled(column: "array[float]", factor: float) -> "array[float]":
        return array("d", (value * factor if index < end else value for index, value in enumerate(column)))

    return replace(
        bars,
        open=scaled(bars.open, 1 / ratio),
        high=scaled(bars.high, 1 / ratio),
        low=scaled(bars.low, 1 / ratio),
        close=scaled(bars.close, 1 / ratio),
        volume=scaled(bars.volume, ratio),
    )
