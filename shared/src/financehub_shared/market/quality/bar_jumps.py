"""Leaves out bars that jump away and back although nothing was traded at their prices. Pure.

A crash from which the market recovers within days looks similar. It can be distinguished, because trading passes
through the prices in between or has a multiple of the usual volume, and the market seldom recovers completely.
"""

import math

from financehub_shared.market.quality.bar_check import BarCheck, Row
from financehub_shared.market.quality.bar_moves import Moves
from financehub_shared.market.quality.quote_moves import PENNY_STEP

#: Longest series of bars that jump away and back.
AWAY_BARS = 3
#: |ln| of the smallest jump that is doubted if the previous bars have no volume, because a real jump cannot then be
#: recognized by its volume. The VIX really rose by 44 % and returned within two days.
DOUBLE = math.log(2)
#: Largest change, in price steps, that is never a jump. It can be up to 100 % of the price of a penny stock.
STEPS = 2
#: Fraction of a jump's |ln| that may remain after the price has returned.
TAKEN_BACK = 1 / 4
#: |ln| of a move of the newest bar that is kept although nothing confirms it: -60 % or +150 %. The next fetch checks it
#: again, together with the bar that follows.
NEWEST_MOVE = math.log(2.5)


def leave_out_bad_cells(check: BarCheck) -> None:
    """Leave out each series of bars that jumps away and back, unless it has more than a third of all bars."""
    moves = Moves([*check.before, *check.rows], check.answer.dividends)
    wrong: list[Row] = []
    i = 1
    while i < len(moves.rows):
        back = _return(moves, i) if _is_jump(check, moves, i) else None
        if back is not None and len(moves.rows) >= 3 * (back - i) and not _was_traded(moves, i, back):
            wrong += moves.rows[i:back]
            i = back
        i += 1
    known = {row.day for row in check.rows}
    _leave_out(check, moves, "away and back", [row for row in wrong if row.day in known])


def leave_out_doubtful_newest(check: BarCheck) -> None:
    """Leave out the newest bar if it jumps and nothing confirms it yet."""
    moves = Moves([*check.before, *check.rows], check.answer.dividends)
    newest = len(moves.rows) - 1
    if check.rows and newest > 0 and _is_jump(check, moves, newest) and not _is_plausible_end(check, moves, newest):
        _leave_out(check, moves, "not confirmed yet", [moves.rows[newest]])


def _leave_out(check: BarCheck, moves: Moves, what: str, rows: list[Row]) -> None:
    check.leave_out(f"jump: by more than {math.expm1(moves.limit) * 100:.0f} %, {what}", rows)


def _is_jump(check: BarCheck, moves: Moves, i: int) -> bool:
    change = abs(moves.rows[i].close - moves.rows[i - 1].close)
    if check.is_stock and round(change / float(PENNY_STEP)) <= STEPS:
        return False
    return abs(moves.changes[i]) > (moves.limit if moves.has_volumes(i) else max(moves.limit, DOUBLE))


def _return(moves: Moves, i: int) -> int | None:
    """Return the index of the first bar that is back at the level before bar `i`. None if no bar returns in time."""
    base, near = moves.rows[i - 1].close, abs(moves.changes[i]) * TAKEN_BACK
    for back in range(i + 1, min(i + AWAY_BARS, len(moves.rows) - 1) + 1):
        if abs(math.log(moves.rows[back].close / base)) <= near:
            return back
    return None


def _was_traded(moves: Moves, i: int, back: int) -> bool:
    """Whether trading took place at the prices of the bars from `i` to the return at `back`."""
    if moves.is_traded_through(i) and moves.is_traded_through(back):
        return True
    return any(moves.is_explained(each) for each in range(i, back + 1))


def _is_plausible_end(check: BarCheck, moves: Moves, i: int) -> bool:
    """Whether the newest bar is plausible although it jumps."""
    if moves.is_traded_through(i) or moves.is_explained(i):
        return True
    if check.current is not None and check.current.is_quoted:
        return check.current.distance(moves.rows[i].close) <= abs(moves.changes[i]) / 2
    return abs(moves.changes[i]) <= NEWEST_MOVE
