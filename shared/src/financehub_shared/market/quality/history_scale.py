"""Finds the splits and wrong units in a series of price points, by evidence that the fleet already has. Pure.

Daily bars are adjusted for splits and not for dividends, and after a split they are all read again. So if the prices of
the days before a step are off from the bars of these days by a constant factor, and the step undoes this factor, then
the scale changed there. In a real crash, the prices before it agree with the bars of their days, and nothing is scaled.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from financehub_shared.core.durations import DAY_SECONDS
from financehub_shared.core.models import Bars, PricePoint
from financehub_shared.market.quality.quote_moves import jump_limit, may_be_unit_error

#: Smallest ratio of two scales. The last price of a day differs from the close of its bar by far less.
RATIO_MIN = 1.1
#: Smallest ratio of two successive prices that can be a change of scale, since the market moves at the same time.
STEP_MIN = 1.05
#: Number of steps beyond which no change of scale is searched: the price jumps all the time, such as between two steps
#: of a penny stock. Reading stays fast whatever is stored.
MAX_STEPS = 500
#: |ln| by which a price may be outside the range of the bar of its day: providers differ by less.
RANGE_TOLERANCE = math.log(1.02)
#: Largest |ln| of the difference between the factors of two days that have the same scale.
SAME_FACTOR = math.log(1.05)
#: Number of days before a step whose factors must agree, if there are as many.
DAYS = 3
#: A factor within this |ln| of a ratio of small numbers, such as 3:2, is that ratio.
EXACT = 0.01
_UNITS = (100.0, 1_000.0)


@dataclass(frozen=True, slots=True)
class _Sample:
    """The last price before a step or before the end of a day that has a bar. All values are natural logarithms.

    Args:
        index: Index of the point.
        price: The price.
        close: The close of the bar.
        low, high: The range of the bar.
    """

    index: int
    price: float
    close: float
    low: float
    high: float

    def factor(self, scale: float) -> float:
        """Return by how much the price is off from the close, after a change of scale."""
        return self.price - scale - self.close

    def fits(self, scale: float) -> bool:
        """Whether the price is in the range of the bar, after a change of scale."""
        return self.low - RANGE_TOLERANCE <= self.price - scale <= self.high + RANGE_TOLERANCE


def find_scale_changes(points: Sequence[PricePoint], bars: Bars | None) -> list[tuple[int, float]]:
    """Return where the scale changes: the index of the first point on the new scale, and old scale ÷ new scale.

    Args:
        points: Price points in ascending order of time.
        bars: The daily bars of the asset. None if there are none.
    """
    steps = _steps(points)
    if not steps or len(steps) > MAX_STEPS:
        return []
    samples = _samples(points, steps, bars) if bars is not None else []
    changes = _by_bars(samples, steps, len(points))
    return changes + _by_unit(steps, _fitting(samples, changes), {index for index, _ in changes})


def _steps(points: Sequence[PricePoint]) -> dict[int, float]:
    """Return index → ln of the ratio to the previous price, for each change of the price by at least `STEP_MIN`."""
    steps = {}
    before = points[0].price if points else 0.0
    for index, (_, price, _) in enumerate(points):
        if not before < price * STEP_MIN or not price < before * STEP_MIN:
            steps[index] = math.log(price / before)
        before = price
    return steps


def _samples(points: Sequence[PricePoint], steps: dict[int, float], bars: Bars) -> list[_Sample]:
    """Return the samples, newest first."""
    rows = {day: row for row, day in enumerate(bars.days)}
    samples = []
    later_day = math.inf
    for index in reversed(range(len(points))):
        day = int(points[index].at // DAY_SECONDS)
        if (day != later_day or index + 1 in steps) and (row := rows.get(day)) is not None:
            low, high, close = bars.low[row], bars.high[row], bars.close[row]
            if 0 < low <= close <= high:
                price = math.log(points[index].price)
                samples.append(_Sample(index, price, math.log(close), math.log(low), math.log(high)))
        later_day = day
    return samples


def _by_bars(samples: Sequence[_Sample], steps: dict[int, float], count: int) -> list[tuple[int, float]]:
    """Return the changes that the bars show, newest first."""
    changes = []
    scale, bound, enough = 0.0, count - 1, 1
    for place, sample in enumerate(samples):
        if not sample.fits(scale):
            factor = _factor(samples[place : place + DAYS], steps, scale, enough)
            candidates = [index for index in steps if sample.index < index <= bound]
            best = min(candidates, key=lambda index: abs(steps[index] + factor), default=None)
            if not factor or best is None or abs(steps[best] + factor) > max(jump_limit(0.0), abs(steps[best])):
                enough = 2  # a single day cannot prove what this day contradicts
                continue
            ratio = _exact(math.exp(factor))
            changes.append((best, ratio))
            scale += math.log(ratio)
        bound, enough = sample.index, 1
    return changes


def _factor(samples: Sequence[_Sample], steps: dict[int, float], scale: float, enough: int) -> float:
    """Return ln of the factor by which the prices of some days are off from their bars. 0 if it is not certain.

    One wrong price at the end of a day is also off from the bar, but then the day before is not off. If the days before
    are off by another factor, a step between them must explain it: another split.

    Args:
        samples: The sample, and those before it, newest first.
        steps: All steps.
        scale: ln of the changes of scale after the samples.
        enough: Number of samples that must have the same factor.
    """
    if any(sample.fits(scale) for sample in samples):
        return 0.0
    factors = [sample.factor(scale) for sample in samples]
    agreeing = [each for each in factors if abs(each - factors[0]) <= SAME_FACTOR]
    if len(agreeing) < enough:
        return 0.0
    if len(agreeing) == 1 < len(factors):
        between = [step for index, step in steps.items() if samples[1].index < index <= samples[0].index]
        if not any(abs(step + factors[1] - factors[0]) <= SAME_FACTOR for step in between):
            return 0.0
    factor = median(agreeing)
    return factor if abs(factor) >= math.log(RATIO_MIN) else 0.0


def _exact(ratio: float) -> float:
    """Return the factor of a unit or the ratio of small numbers that a measured ratio stands for, or else the ratio."""
    if may_be_unit_error(ratio):
        unit = min(_UNITS, key=lambda unit: abs(abs(math.log(ratio)) - math.log(unit)))
        return unit if ratio > 1 else 1 / unit
    large = max(ratio, 1 / ratio)
    for old in (1, 2, 3, 4, 5, 10):
        new = round(large * old)
        if abs(math.log(large * old / new)) <= EXACT:
            return new / old if ratio > 1 else old / new
    return ratio


def _fitting(samples: Sequence[_Sample], changes: Sequence[tuple[int, float]]) -> list[int]:
    """Return the indexes of the samples that agree with the bars, in ascending order."""
    return sorted(
        sample.index
        for sample in samples
        if sample.fits(sum(math.log(ratio) for index, ratio in changes if index > sample.index))
    )


def _by_unit(steps: dict[int, float], fitting: Sequence[int], known: set[int]) -> list[tuple[int, float]]:
    """Return the steps by the factor of a unit before which no price agrees with the bars.

    Quotes are compared with other providers, and such a step is accepted only on evidence. It is the correction of a
    wrong unit, or a split of the same ratio that the bars do not show yet. Both put the earlier prices on another
    scale. Prices before it that agree with the bars keep their scale.
    """
    changes = []
    scale = 1.0
    begins = [0, *steps]
    for begin, index in reversed(list(zip(begins, steps, strict=False))):
        if any(begin <= each < index for each in fitting):
            factor = 1 / scale
        elif index not in known and may_be_unit_error(math.exp(steps[index])):
            factor = _exact(math.exp(-steps[index]))
        else:
            factor = 1.0
        if factor != 1.0:
            changes.append((index, factor))
            scale *= factor
    return changes
