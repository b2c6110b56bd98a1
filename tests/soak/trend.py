"""Decides whether a quantity grows: the slope of Theil and Sen with its confidence interval, over several lifetimes.

A process that is killed starts from the beginning, so values of two lifetimes must not be compared with each other. As
in the regional test of Kendall, only pairs of points of one lifetime count, and the lifetimes are added. A leak that is
too small for one short lifetime shows in many of them.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import NormalDist, fmean, median

#: A point: time in seconds, value.
Point = tuple[float, float]
#: Neighboring samples are similar, but the test needs independent values. Blocks of this length are independent enough.
BLOCK_SECONDS = 30.0
#: The pairs of points grow with the square of the blocks, so a long lifetime has longer blocks.
_MOST_BLOCKS = 120
#: With fewer blocks, no order of the values would be unlikely enough.
LEAST_BLOCKS = 4
_PARTS = 4


@dataclass(frozen=True, slots=True)
class Trend:
    """The growth of one quantity.

    Args:
        lifetimes: Number of lifetimes that were long enough.
        seconds: Their total duration without the warm-up, in seconds.
        longest: The longest of them, in seconds.
        level: Median of all values.
        slope: Growth per hour.
        low, high: Confidence interval of the slope, per hour.
        keeps_rising: Whether a typical lifetime rises from each quarter to the next one. A step, such as a cache that
            is filled once, touches at most two of these three rises.
    """

    lifetimes: int
    seconds: float
    longest: float
    level: float
    slope: float
    low: float
    high: float
    keeps_rising: bool

    def exceeds(self, tolerance: float) -> bool:
        """Whether the quantity surely grows by more than a tolerance, per hour, and has not stopped to grow."""
        return self.low > tolerance and self.keeps_rising


def trend(
    lifetimes: Sequence[Sequence[Point]], *, confidence: float = 0.999, block_seconds: float = BLOCK_SECONDS
) -> Trend | None:
    """Return the growth of a quantity, or None if no lifetime is long enough.

    Args:
        lifetimes: The points of each lifetime without its warm-up, in order of time.
        confidence: Probability of the confidence interval. Many quantities are tested, so it must be high.
        block_seconds: Length of the blocks whose medians are compared, in seconds.
    """
    series = [blocks for points in lifetimes if len(blocks := _blocks(points, block_seconds)) >= LEAST_BLOCKS]
    if not series:
        return None
    slopes = sorted(
        (later - value) / (end - begin)
        for points in series
        for index, (begin, value) in enumerate(points)
        for end, later in points[index + 1 :]
    )
    # Half of the width of the interval, counted in sorted slopes.
    reach = NormalDist().inv_cdf((1 + confidence) / 2) * math.sqrt(sum(map(_variance, series)))
    last = len(slopes) - 1
    low = slopes[max(0, math.floor((last - reach) / 2))]
    high = slopes[min(last, math.ceil((last + reach) / 2))]
    return Trend(
        lifetimes=len(series),
        seconds=sum(points[-1][0] - points[0][0] for points in series),
        longest=max(points[-1][0] - points[0][0] for points in series),
        level=median(value for points in series for _, value in points),
        slope=median(slopes) * 3600,
        low=low * 3600,
        high=high * 3600,
        keeps_rising=_keeps_rising(series),
    )


def _blocks(points: Sequence[Point], seconds: float) -> list[Point]:
    """Return the median of each block of time, so that short peaks and the noise of neighbors do not count."""
    if not points:
        return []
    begin = points[0][0]
    length = max(seconds, (points[-1][0] - begin) / _MOST_BLOCKS)
    blocks: dict[int, list[Point]] = {}
    for point in points:
        blocks.setdefault(int((point[0] - begin) / length), []).append(point)
    return [(fmean(at for at, _ in block), median(value for _, value in block)) for block in blocks.values()]


def _variance(points: Sequence[Point]) -> float:
    """Return the variance of Kendall's sum of signs, with its correction for equal values."""
    counts: dict[float, int] = {}
    for _, value in points:
        counts[value] = counts.get(value, 0) + 1
    ties = sum(count * (count - 1) * (2 * count + 5) for count in counts.values())
    size = len(points)
    return (size * (size - 1) * (2 * size + 5) - ties) / 18


def _keeps_rising(series: Sequence[Sequence[Point]]) -> bool:
    """Return whether all rises between the quarters of a lifetime are positive, in the median of the lifetimes.

    Longer lifetimes say more, so those that are shorter than half of the longest one do not count.
    """
    longest = max(points[-1][0] - points[0][0] for points in series)
    parts = [_parts([value for _, value in points]) for points in series if points[-1][0] - points[0][0] >= longest / 2]
    total = median(each[-1] - each[0] for each in parts)
    rises = [median(each[number + 1] - each[number] for each in parts) for number in range(_PARTS - 1)]
    # An even leak gives each rise a third of the total. A step leaves almost nothing for one of them.
    return total > 0 and min(rises) > total / 8


def _parts(values: Sequence[float]) -> list[float]:
    bounds = [round(len(values) * part / _PARTS) for part in range(_PARTS + 1)]
    return [median(values[a:b]) for a, b in pairwise(bounds)]
