"""Cuts a history where its level changes without a reason, and keeps the sections whose level is known. Pure.

These rules do not apply to coins, whose price can really change by any factor in a day.
"""

import math
from collections.abc import Sequence
from itertools import pairwise

from financehub_shared.market.quality.bar_check import NEWEST_MIN, BarCheck, CurrentPrice, Row
from financehub_shared.market.quality.bar_moves import CUT, Moves
from financehub_shared.market.quality.bar_values import PENNY

#: |ln| of the factor of a wrong unit.
HUNDRED = math.log(100)
#: Smallest fraction of the bars that is a majority. It is larger if two sections differ by the factor of a unit,
#: because such errors persist for months (22 of 29 recorded bars of SSW.JO).
MAJORITY = 2 / 3
UNIT_MAJORITY = 0.9
#: |ln| of the largest ratio between two prices of the same level, and between the current price and the newest bar.
NEAR = math.log(3)


def find_cuts(moves: Moves) -> list[int]:
    """Return the indexes of bars that open at another level than the previous bar, for no known reason.

    Prices up to `PENNY` are exempt, because one price step can be several times such a price.
    """
    return [
        i
        for i in range(1, len(moves.rows))
        if abs(moves.step(i)) > CUT
        and max(moves.rows[i].open, moves.rows[i - 1].close) > PENNY
        and not moves.is_explained(i)
    ]


def keep_known_levels(check: BarCheck, stored: Sequence[Row]) -> None:
    """Leave out the sections of a full history whose level is not confirmed.

    Args:
        check: The check in progress.
        stored: The stored bars in ascending order of days.
    """
    moves = Moves(check.rows, check.answer.dividends)
    cuts = find_cuts(moves)
    if not cuts:
        return
    sections = [check.rows[start:end] for start, end in pairwise([0, *cuts, len(check.rows)])]
    factor = math.exp(max(abs(moves.step(cut)) for cut in cuts))
    kept = _known(check, sections, stored, moves)
    if kept:
        reason = f"scale: the level differs by a factor of up to {factor:.3g} from the other bars for no known reason"
    else:
        reason = f"scale: levels differ by a factor of up to {factor:.3g}, and nothing shows which one is right"
    check.leave_out(reason, [row for place, rows in enumerate(sections) if place not in kept for row in rows])


def newest_min(check: BarCheck, price: CurrentPrice, *, is_unit: bool) -> float:
    """Return the smallest number of newest bars that must agree with the current price to outvote the other bars.

    If only the answer itself reports the price, a wrong unit of the newest bars is also that of the price. The other
    bars are then outvoted only if they are not a clear majority.
    """
    if price.is_quoted or not is_unit:
        return price.bars_min
    return max(price.bars_min, (1 - UNIT_MAJORITY) * len(check.rows))


def _known(check: BarCheck, sections: list[list[Row]], stored: Sequence[Row], moves: Moves) -> set[int]:
    """Return the indexes of the sections to keep. Empty if the right level is unknown."""
    groups = [_connected(sections, place) for place in range(len(sections))]
    newest = len(sections) - 1
    largest = max(groups, key=lambda group: _size(sections, group))
    is_unit = any(moves.is_unit_size(cut) for cut in find_cuts(moves))
    is_majority = _size(sections, largest) >= (UNIT_MAJORITY if is_unit else MAJORITY) * len(check.rows)
    if check.current is not None:
        near = {place for place in range(len(sections)) if check.current.distance(sections[place][-1].close) <= NEAR}
        if newest in near and _size(sections, groups[newest]) >= newest_min(check, check.current, is_unit=is_unit):
            return groups[newest]
        return largest if is_majority and (newest in near or largest & near) else set()
    if len(sections[newest]) >= NEWEST_MIN and not is_unit:
        return groups[newest]
    by_stored = _stored(sections, stored)
    if by_stored is not None:
        return groups[by_stored]
    return largest if is_majority else set()


def _size(sections: list[list[Row]], places: set[int]) -> int:
    """Return the total number of bars in the sections at these indexes."""
    return sum(len(sections[place]) for place in places)


def _stored(sections: list[list[Row]], stored: Sequence[Row]) -> int | None:
    """Return the index of the newest section that has the level of the stored bars. None if no section has it."""
    closes = {row.day: row.close for row in stored}
    for place in reversed(range(len(sections))):
        common = [row for row in sections[place] if row.day in closes]
        if common and all(_distance(row.close, closes[row.day]) <= NEAR for row in common):
            return place
    return None


def _connected(sections: list[list[Row]], place: int) -> set[int]:
    """Return the indexes of the sections that have the same level as the given section, including itself."""
    found = {place}
    first, last = sections[place][0].close, sections[place][-1].close
    for earlier in reversed(range(place)):
        if _distance(sections[earlier][-1].close, first) <= NEAR:
            found.add(earlier)
            first = sections[earlier][0].close
    for later in range(place + 1, len(sections)):
        if _distance(sections[later][0].close, last) <= NEAR:
            found.add(later)
            last = sections[later][-1].close
    return found


def _distance(one: float, other: float) -> float:
    return abs(math.log(one / other))
