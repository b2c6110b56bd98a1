"""Draws small charts as SVG paths, which need no script."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from financehub_shared.market.closes import Closes

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
class DayLine:
    """The line of an asset's prices.

    Args:
        path: The path of the line.
        first, last, low, high: The first, the last, the lowest and the highest price of it.
    """

    path: str
    first: float
    last: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class DayLines:
    """Lines of prices that share one axis of time, so that points below each other have the same time.

    Args:
        seconds: Length of the axis.
        lines: Symbol → line, for the assets with at least two prices.
    """

    seconds: float
    lines: Mapping[str, DayLine]


def day_lines(closes: Mapping[str, Closes]) -> DayLines:
    """Return the lines of some assets. The axis begins with the oldest of their prices and ends with the newest.

    Args:
        closes: Symbol → the thinned prices of the last day.
    """
    drawn = {symbol: each.points for symbol, each in closes.items() if len(each.points) > 1}
    start = min((points[0][0] for points in drawn.values()), default=0.0)
    end = max((points[-1][0] for points in drawn.values()), default=0.0)
    return DayLines(end - start, {symbol: _day_line(points, start, end) for symbol, points in drawn.items()})


def _day_line(points: Sequence[tuple[float, float]], start: float, end: float) -> DayLine:
    prices = [price for _, price in points]
    low, high = min(prices), max(prices)
    across = WIDTH / (end - start)
    up = (HEIGHT - 2) / (high - low) if high > low else 0.0
    path = "M" + "L".join(
        f"{(at - start) * across:.4g} {HEIGHT - 1 - (price - low) * up if up else HEIGHT / 2:.3g}"
        for at, price in points
    )
    return DayLine(path, prices[0], prices[-1], low, high)


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
