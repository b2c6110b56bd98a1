"""Corrects sections of a history, except for coins, whose prices are 100 times too high or too low. Pure.

A level that is off by a factor of 100 is corrected only if every change of level in the history is explained, and if
the right unit is known from the current price or from stored bars.
"""

import math
from itertools import pairwise

from financehub_shared.market.quality.bar_check import BarCheck, Row
from financehub_shared.market.quality.bar_moves import JUMP, Moves
from financehub_shared.market.quality.bar_sections import HUNDRED, NEAR, find_cuts, newest_min
from financehub_shared.market.quality.bar_values import SPLIT_DAYS


def correct_units(check: BarCheck, stored: list[Row]) -> None:
    """Rescale the sections of a full history that are in the wrong unit.

    Args:
        check: The check in progress.
        stored: The stored bars in ascending order of days.
    """
    moves = Moves(check.rows, check.answer.dividends)
    cuts = find_cuts(moves)
    signs = [_unit_sign(check, moves, cut) for cut in cuts]
    if not cuts or not all(signs) or any(moves.is_unit_size(i) for i in {*range(1, len(moves.rows))} - {*cuts}):
        return
    units = [0]
    for sign in signs:
        units.append(units[-1] + sign)
    right = _right_unit(check, units, [0, *cuts], stored) if max(units) - min(units) == 1 else None
    if right is None:
        return
    unit, evidence = right
    rows = list(check.rows)
    for (start, end), found in zip(pairwise([0, *cuts, len(rows)]), units, strict=True):
        if off := found - unit:
            reason = f"unit: {'×' if off > 0 else '÷'}100 against {evidence}"
            for row in rows[start:end]:
                # Dividing by 100 is exact, but multiplying by 0.01 is not.
                check.correct(reason, row, [price / 100 if off > 0 else price * 100 for price in row.prices])


def _unit_sign(check: BarCheck, moves: Moves, i: int) -> int:
    """Return 1 if a move is a change of unit by ×100, -1 if it is a change by ÷100, and 0 otherwise.

    The result is 0 near an announced split, and if the price changes by more than an ordinary amount in addition to the
    unit. It is also 0 if the volume has another magnitude from there on, which indicates a split that was not
    announced.
    """
    sign = 1 if moves.changes[i] > 0 else -1
    rest = min(abs(moves.gaps[i] - sign * HUNDRED), abs(moves.changes[i] - sign * HUNDRED))
    first, last = moves.rows[i - 1].day - SPLIT_DAYS, moves.rows[i].day + SPLIT_DAYS
    is_split = any(first <= split <= last for split in check.answer.splits)
    is_exact = rest <= min(max(0.05, 6 * moves.usual), JUMP)
    return sign if is_exact and not is_split and moves.keeps_volume(i) else 0


def _right_unit(check: BarCheck, units: list[int], starts: list[int], stored: list[Row]) -> tuple[int, str] | None:
    """Return the right unit and the evidence for it. None if the unit is unknown or the evidence is contradictory."""
    newest, price = units[-1], check.current
    by_price = None if price is None else _unit_of(price.value, check.rows[-1].close, newest)
    by_stored = _unit_of_stored(check, units, starts, stored)
    if by_price is not None and by_stored is not None and by_price != by_stored:
        return None
    if price is not None and by_price in units:
        # A price that neither the newest bars nor a second source confirms may itself be wrong.
        is_newest = by_price == newest and len(check.rows) - starts[-1] >= newest_min(check, price, is_unit=True)
        if by_price is not None and (is_newest or price.is_confirmed or by_stored is not None):
            return by_price, "the current price"
    # Without a current price, a change of unit in the newest bars may be a reverse split that was not announced.
    return (newest, "the stored bars") if price is None and by_stored == newest else None


def _unit_of_stored(check: BarCheck, units: list[int], starts: list[int], stored: list[Row]) -> int | None:
    """Return the unit of the stored bars, given the unit of each section and the index of its first bar."""
    closes = {row.day: row.close for row in stored}
    for start, unit in zip(reversed(starts), reversed(units), strict=True):
        common = next((row for row in check.rows[start:] if row.day in closes), None)
        if common is not None:
            return _unit_of(closes[common.day], common.close, unit)
    return None


def _unit_of(known: float, close: float, unit: int) -> int | None:
    """Return the unit of a known price, given the close and the unit of a bar. None if the two do not fit together."""
    off = math.log(known / close)
    return next((unit + step for step in (0, 1, -1) if abs(off - step * HUNDRED) <= NEAR), None)
