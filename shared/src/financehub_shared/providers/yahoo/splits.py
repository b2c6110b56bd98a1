"""Yahoo sometimes announces a split and leaves older bars in the old scale, or changes it on the wrong day. Pure."""

import math
from array import array
from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise

from financehub_shared.core.models import Bars

#: Smaller splits cannot be told from a day's move.
RATIO_MIN = 1.4
#: The change of scale is this many bars from the announced day at most.
AWAY_BARS = 10
#: |ln| by which the price may have moved on that day besides.
MOVE = 0.25


def apply_missing_splits(bars: Bars, splits: Mapping[int, float]) -> tuple[Bars, list[str]]:
    """Bring the bars before a split to the scale after it, where a jump of just the split's size shows they are not.

    Args:
        bars: ascending.
        splits: day the split takes effect → new shares per old one (5 for a 5:1 split).

    Returns:
        The bars (the same object where all is well), and what was done, in words.
    """
    done = []
    for day, ratio in sorted(splits.items()):
        shift = math.log(ratio) if ratio > 0 else 0.0
        if abs(shift) < math.log(RATIO_MIN):
            continue
        place = _missing_at(bars, day, shift)
        if place is not None:
            bars = _rescaled(bars, place, ratio)
            done.append(f"split {ratio:g}:1 of day {day} applied to the {place} bars before day {bars.days[place]}")
    return bars, done


def _missing_at(bars: Bars, day: int, shift: float) -> int | None:
    """Where the close changes by just the split's ratio, near its day, and stays."""
    levels = [math.log(close) if close > 0 else math.nan for close in bars.close]
    near = next((place for place, have in enumerate(bars.days) if have >= day), len(levels))
    changes = {place: now - last for place, (last, now) in enumerate(pairwise(levels), start=1)}
    candidates = [
        place
        for place, change in changes.items()
        if abs(place - near) <= AWAY_BARS and abs(change + shift) <= MOVE and _is_lasting(levels, place)
    ]
    return min(candidates, key=lambda place: abs(changes[place] + shift), default=None)


def _is_lasting(levels: list[float], place: int) -> bool:
    """Whether the bars before are at the old level and those after at the new one, so that it is no passing jump."""
    old, new = levels[place - 1], levels[place]
    before, after = levels[max(place - 4, 0) : place], levels[place : place + 4]
    return all(abs(level - old) < abs(level - new) for level in before) and all(
        abs(level - new) < abs(level - old) for level in after
    )


def _rescaled(bars: Bars, end: int, ratio: float) -> Bars:
    def scaled(column: "array[float]", factor: float) -> "array[float]":
        return array("d", (value * factor if place < end else value for place, value in enumerate(column)))

    return replace(
        bars,
        open=scaled(bars.open, 1 / ratio),
        high=scaled(bars.high, 1 / ratio),
        low=scaled(bars.low, 1 / ratio),
        close=scaled(bars.close, 1 / ratio),
        volume=scaled(bars.volume, ratio),
    )
