"""Corrects bars whose prices are in the wrong unit, that is, too high or too low by a factor of 100. Pure.

A whole day can be in the wrong unit, or single prices of a day. See ADR 0022 for the rules and the real histories
behind them.
"""

import math
from collections.abc import Sequence
from itertools import pairwise

from financehub_shared.market.quality.bar_check import RANGE_MAX, BarCheck

#: A larger daily change of a bar needs an explanation.
JUMP_LIMIT = 0.40
#: Largest |ln| of a daily change that needs no explanation.
JUMP = math.log1p(JUMP_LIMIT)
_HUNDRED = math.log(100)


def correct_days(check: BarCheck, before: list[float], last_quote: float | None) -> None:
    """Rescale whole days that are 100 times too high or too low to the level of the other days.

    Args:
        check: The check in progress.
        before: Stored closes before the first new bar, oldest first.
        last_quote: The last good quote of the asset, if there is one.
    """
    consistent = [row for row in check.rows if not row.is_inconsistent]
    if not consistent:
        return
    levels = [row.level for row in consistent]
    steps = [0]
    for previous, level in pairwise(levels):
        steps.append(steps[-1] + _unit_step(level - previous))
    correct_step = _correct_step(steps, levels, before, last_quote)
    if correct_step is None:
        check.drop("unit: every day is 100 times off the last quote; one of the two is wrong", consistent)
        return
    target, evidence = correct_step
    for row, step in zip(consistent, steps, strict=True):
        if step != target:
            off = step - target
            sign = f"{'×' if off > 0 else '÷'}{100 ** abs(off)}"
            check.correct(f"unit: {sign} against {evidence}", row, [_in_unit(price, off) for price in row.prices])


def correct_cells(check: BarCheck, before: list[float]) -> None:
    """Correct single prices of a day that are off by 100, and drop days that are inconsistent in another way.

    Args:
        check: The check in progress.
        before: Stored closes before the first new bar, oldest first.
    """
    inconsistent = []
    reference = before[-1] if before else None
    for place, row in enumerate(check.rows):
        if not row.is_inconsistent:
            reference = row.prices[3]
            continue
        following = (other.prices[0] for other in check.rows[place + 1 :] if not other.is_inconsistent)
        near = reference or next(following, None)
        steps = [_unit_step(math.log(price / near)) if near else 0 for price in row.prices]
        corrected = [_in_unit(price, step) for price, step in zip(row.prices, steps, strict=True)]
        if not any(steps) or max(corrected) / min(corrected) > RANGE_MAX:
            inconsistent.append(row)
            continue
        names = [name for name, step in zip(("open", "high", "low", "close"), steps, strict=True) if step]
        prices = [corrected[0], max(corrected), min(corrected), corrected[3]]
        check.correct(f"unit: {', '.join(names)} off by 100", row, prices)
        reference = corrected[3]
    check.drop(f"range: high and low differ by a factor over {RANGE_MAX:.0f}", inconsistent)


def _unit_step(change: float) -> int:
    """Return 1 if a change, given as its ln, is about ×100, -1 if it is about ÷100, otherwise 0."""
    for step in (1, -1):
        if abs(change - step * _HUNDRED) <= JUMP:
            return step
    return 0


def _in_unit(price: float, off: int) -> float:
    """Divide a price by 100^`off`. Dividing by 100 is exact, but multiplying by 0.01 is not."""
    return price / 100.0**off if off > 0 else price * 100.0**-off


def _correct_step(
    steps: Sequence[int], levels: Sequence[float], before: list[float], last_quote: float | None
) -> tuple[int, str] | None:
    """Return the correct unit's step and the evidence for it: the last quote, the stored bars, or most days.

    The quote chooses among the units that occur. If it contradicts all days, it may itself be wrong, so the stored
    bars decide. Without stored bars the result is then None.
    """
    by_quote = _step_of(last_quote, levels[-1], steps[-1])
    if by_quote is not None and by_quote in steps:
        return by_quote, "the last quote"
    by_stored = _step_of(before[-1] if before else None, levels[0], steps[0])
    if by_stored is not None:
        return by_stored, "the stored bars"
    if by_quote is not None:
        return None
    counts = {step: steps.count(step) for step in set(steps)}
    return max(counts, key=lambda step: (counts[step], step == steps[-1])), "the other days"


def _step_of(known: float | None, level: float, step: int) -> int | None:
    """Return a known price's step, or None unless the day is at that price or off by a factor of 100."""
    if not known:
        return None
    difference = level - math.log(known)
    off = _unit_step(difference)
    return step - off if off or abs(difference) <= JUMP else None
