"""Corrects bars whose prices were not adjusted for an announced split, or were adjusted twice. Pure.

Yahoo adjusts prices for splits back to the first day. Recorded histories show what goes wrong: older bars are on the
old scale (DEX.AX), the scale changes some days too early (4063.T), or single bars are on another scale (MOB.ST).
The ratio is announced, so a level that is off by exactly this ratio for some bars is conclusive evidence.
"""

import math
from bisect import bisect_left
from dataclasses import dataclass
from itertools import pairwise

from financehub_shared.core.days import iso_day
from financehub_shared.market.quality.bar_check import NEWEST_MIN, BarCheck
from financehub_shared.market.quality.bar_moves import Moves

#: Smallest |ln| of a ratio that can be distinguished from market moves, and the smallest number of standard deviations
#: of the asset's daily changes that it must have.
SHIFT_MIN = math.log(1.3)
SHIFT_SIGMAS = 8
#: Largest distance, in bars, between the announced day and a change of scale that the split can cause.
NEAR_BARS = 10
#: Largest |ln| of a price change in addition to the split: -40 % on the day of the split.
MOVE_MAX = 0.5
#: A single change of at least this |ln| near the announced day is evidence although the price also moved: -40 %.
WIDE = 0.5
#: Largest |ln| of a difference from the ratio that counts as exact for every asset.
EXACT = 0.03
#: A ratio of at least this |ln| is far beyond any daily move of a share. The second limit applies if the change is
#: exact and the volume is not unusual.
LARGE = math.log(4)
DOUBLE = 0.99 * math.log(2)


@dataclass(frozen=True, slots=True)
class _Edge:
    """A change of the level by the ratio of a split, between bar `at - 1` and bar `at`.

    Args:
        at: Index of the first bar after the change.
        sign: 1 if the level rose by the ratio, -1 if it fell by it.
        is_near: Whether the change is near the announced day.
        is_exact: Whether the change differs from the ratio only by the move of an ordinary day.
    """

    at: int
    sign: int
    is_near: bool
    is_exact: bool


def correct_splits(check: BarCheck) -> None:
    """Rescale the sections of a full history that are off by the ratio of an announced split, newest split first."""
    for day, ratio in sorted(check.answer.splits.items(), reverse=True):
        if abs(math.log(ratio)) >= SHIFT_MIN and check.rows and day <= check.rows[-1].day:
            _correct_split(check, day, ratio)


def _correct_split(check: BarCheck, day: int, ratio: float) -> None:
    moves = Moves(check.rows, check.answer.dividends)
    days = [row.day for row in check.rows]
    at = bisect_left(days, day)
    others = [bisect_left(days, other) for other in check.answer.splits if other != day]
    shift = math.log(ratio)
    if abs(shift) < SHIFT_SIGMAS * moves.usual:
        return
    edges = [
        edge
        for edge in _edges(moves, at, shift)
        if edge.is_near or not any(abs(edge.at - other) <= NEAR_BARS for other in others)
    ]
    edges = _conclusive(edges, moves, shift)
    newest = _newest_power(check, edges, at, shift) if edges else None
    if newest is None:
        return
    powers = [newest]
    for edge in reversed(edges):
        powers.insert(0, powers[0] - edge.sign)
    if not all(-1 <= power <= 1 for power in powers):
        return
    rows = list(check.rows)
    bounds = [0, *(edge.at for edge in edges), len(rows)]
    for (start, end), power in zip(pairwise(bounds), powers, strict=True):
        if power:
            reason = f"split: {ratio:g}:1 of {iso_day(day)} was {'missing' if power > 0 else 'applied twice'}"
            factor = ratio**power
            for row in rows[start:end]:
                check.correct(reason, row, [price / factor for price in row.prices], row.volume * factor)


def _edges(moves: Moves, at: int, shift: float) -> list[_Edge]:
    """Return the edges at which the level changes by the ratio.

    Args:
        moves: The moves between the bars.
        at: Index of the first bar on or after the announced day.
        shift: ln of the ratio.
    """
    found = []
    exact = min(max(EXACT, 4 * moves.usual), abs(shift) / 4)
    for i in range(1, len(moves.rows)):
        sign = 1 if moves.changes[i] * shift > 0 else -1
        rest = min(abs(moves.gaps[i] - sign * shift), abs(moves.changes[i] - sign * shift))
        step, is_near = abs(moves.step(i)), abs(i - at) <= NEAR_BARS
        is_ratio = rest <= exact and step >= abs(shift) / 2
        is_ratio_and_move = is_near and rest <= MOVE_MAX and step >= max(2 * rest, WIDE)
        if (is_ratio or is_ratio_and_move) and (abs(shift) >= LARGE or not moves.is_explained(i)):
            found.append(_Edge(i, sign, is_near=is_near, is_exact=rest <= max(EXACT, 2 * moves.usual)))
    return found


def _conclusive(edges: list[_Edge], moves: Moves, shift: float) -> list[_Edge]:
    """Return the edges that are evidence of a wrong scale.

    Two edges that belong together are evidence. A single edge is evidence only if the market does not explain it: it is
    near the announced day and wide, or it is exact although the volume is not unusual, or the ratio is large.
    """
    paired = _paired([edge for edge in edges if edge.is_exact])
    paired |= _paired([edge for edge in edges if edge.at not in paired])
    kept = []
    for edge in edges:
        is_quiet = edge.is_exact and moves.has_usual_volume(edge.at)
        if (
            abs(shift) >= LARGE
            or edge.at in paired
            or (edge.is_near and abs(moves.step(edge.at)) >= WIDE)
            or (is_quiet and (edge.is_near or abs(shift) >= DOUBLE))
        ):
            kept.append(edge)
    return kept


def _paired(edges: list[_Edge]) -> set[int]:
    """Return the positions `at` of successive edges of which the second one reverses the first."""
    paired: set[int] = set()
    for last, edge in pairwise(edges):
        if edge.sign != last.sign and last.at not in paired:
            paired |= {last.at, edge.at}
    return paired


def _newest_power(check: BarCheck, edges: list[_Edge], at: int, shift: float) -> int | None:
    """Return the power of the ratio by which the newest bars are too high. None if it is unknown.

    The current price decides if it is known. Otherwise, the newest bars are normally right. This is unknown if only a
    few bars follow the newest edge and it is not at the announced day.
    """
    newest = check.rows[-1].close
    if check.current is not None:
        off = math.log(newest / check.current.value) / shift
        power = round(off)
        return power if abs(power) <= 1 and abs(off - power) <= 1 / 3 else None
    last = edges[-1].at
    return 0 if len(check.rows) - last >= NEWEST_MIN or abs(last - at) <= 1 else None
