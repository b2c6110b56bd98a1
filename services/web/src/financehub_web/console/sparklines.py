"""Draws small charts as SVG paths, which need no script."""

import math
from collections.abc import Sequence

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
