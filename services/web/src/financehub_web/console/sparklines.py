"""Draws small charts as SVG paths, which need no script."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

#: Width and height of the coordinate system of a line.
WIDTH, HEIGHT = 100.0, 30.0
#: More points than this are not visible.
_MOST_POINTS = 400


def line_path(values: Sequence[float]) -> str:
    """Return the path of a line through values, or an empty text if there are fewer than two.

    Args:
        values: The values in order. Those that are not finite are left out.
    """
    points = [value for value in values if math.isfinite(value)]
    if len(points) > _MOST_POINTS:
        step = len(points) / _MOST_POINTS
        points = [points[int(index * step)] for index in range(_MOST_POINTS - 1)] + [points[-1]]
    if len(points) < 2:
        return ""
    low, high = min(points), max(points)
    scale = (HEIGHT - 2) / (high - low) if high > low else 0.0
    step = WIDTH / (len(points) - 1)
    middle = HEIGHT / 2
    return "M" + "L".join(
        f"{index * step:.2f} {HEIGHT - 1 - (value - low) * scale if scale else middle:.2f}"
        for index, value in enumerate(points)
    )


@dataclass(frozen=True, slots=True)
class OutcomeBar:
    """One bar of runs, with those that failed at its top. All values are in the coordinates of the drawing.

    Args:
        x, width: Its left edge and its width.
        y, height: Upper edge and height of the part of runs that did not fail.
        failed_y, failed_height: The same of the part of runs that failed.
    """

    x: float
    width: float
    y: float
    height: float
    failed_y: float
    failed_height: float


def outcome_bars(counts: Sequence[tuple[int, int]]) -> list[OutcomeBar]:
    """Return one bar for each pair of (runs that ended, those that failed).

    A failure among thousands of runs is still visible.
    """
    highest = max((ended for ended, _ in counts), default=0)
    if not highest:
        return []
    step = WIDTH / len(counts)
    bars = []
    for number, (ended, failed) in enumerate(counts):
        height = ended / highest * HEIGHT
        failed_height = min(height, max(failed / highest * HEIGHT, 2.0)) if failed else 0.0
        top = HEIGHT - height
        bars.append(
            OutcomeBar(number * step, step * 0.8, top + failed_height, height - failed_height, top, failed_height)
        )
    return bars
