"""Compares the bars of an answer with the stored ones, and decides which version is right. Pure.

Upstreams restate their history: they apply a split days later, repair an error, or lose the record of a split. So bars
are not trusted only because they are already stored, or only because they are newer.
"""

import math
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from financehub_shared.core.days import iso_day
from financehub_shared.core.models import Bars
from financehub_shared.market.quality.bar_check import BarCheck, CurrentPrice, Row

#: Relative difference up to which two prices of one day are equal. Upstreams round and correct prices after the close.
EQUAL = 0.01
#: The same for the newest stored day, whose bar may have been fetched before the upstream completed it.
EQUAL_NEWEST = 0.1
#: The same for two bars that are in fact one bar with two dates.
IDENTICAL = 1e-4
#: If |ln| of the ratio between two bars of one day is larger than this, their scales differ.
SCALE = 0.2
#: Number of new sessions after which a history on another scale is accepted although no current price confirms it.
SESSIONS = 2


@dataclass(frozen=True, slots=True)
class Overlap:
    """The differences between an answer and the stored bars of the same days.

    Args:
        changed: Stored bars that have different prices in the answer.
        filled: Bars of the answer for days without a stored bar, between the oldest and the newest stored bar.
    """

    changed: Sequence[Row]
    filled: Sequence[Row]


def compare(stored: Sequence[Row], rows: Sequence[Row]) -> Overlap:
    """Compare the bars of an answer with the stored ones. Both must be in ascending order of days."""
    if not stored:
        return Overlap((), ())
    new = {row.day: row for row in rows}
    changed = [
        row
        for row in stored
        if row.day in new and _difference(row, new[row.day]) > (EQUAL_NEWEST if row is stored[-1] else EQUAL)
    ]
    known = {row.day for row in stored}
    filled = [row for row in rows if stored[0].day < row.day < stored[-1].day and row.day not in known]
    return Overlap(changed, filled)


def is_continued_by(stored: Bars, bars: Bars) -> bool:
    """Whether the bars repeat all stored bars of their range and add only newer days. This test is fast."""
    start = bisect_left(stored.days, bars.days[0])
    count = len(stored) - start
    offset = bisect_left(bars.days, stored.days[start]) if count else 0
    if bars.days[offset : offset + count] != stored.days[start:]:
        return False
    low, high = 1 - EQUAL, 1 + EQUAL
    for name in ("open", "high", "low", "close"):
        old, new = getattr(stored, name)[start:], getattr(bars, name)[offset : offset + count]
        if not all(low * one <= other <= high * one for one, other in zip(old, new, strict=True)):
            return False
    return True


def _difference(one: Row, other: Row) -> float:
    return max(abs(new - old) / old for old, new in zip(one.prices, other.prices, strict=True))


def keeps_stored(check: BarCheck, stored: Sequence[Row], *, is_fallback: bool) -> str:
    """Return why the stored bars are kept instead of a full history. Empty if the history replaces them.

    Args:
        check: The check of the history, with the bars that remain.
        stored: The stored bars, ascending by day.
        is_fallback: Whether the history is from another provider, because the first choice did not deliver it.
    """
    new = {row.day: row for row in check.rows}
    common = [(row, new[row.day]) for row in stored if row.day in new]
    ratios = [math.log(other.close / row.close) for row, other in common]
    if is_fallback and any(abs(ratio) > SCALE for ratio in ratios):
        return "history: another provider has the stored bars on another scale, so it may mean another asset"
    if all(abs(ratio) <= SCALE for ratio in ratios) or _is_announced(common, ratios, check.answer.splits):
        return ""
    if check.current is None and max(ratios) - min(ratios) <= SCALE:
        if sum(row.day > stored[-1].day for row in check.rows) >= SESSIONS:
            return ""
        return f"history: every bar is ×{math.exp(ratios[-1]):.4g} of the stored one, and no current price confirms it"
    wrong_new, wrong_stored = (_contradictions(common, ratios, which, check.current) for which in (1, 0))
    reason = "history: the stored bars fit together and fit the current price better than the delivered ones"
    return reason if wrong_new > wrong_stored + SCALE else ""


def _is_announced(common: Sequence[tuple[Row, Row]], ratios: Sequence[float], splits: Mapping[int, float]) -> bool:
    """Whether announced splits explain every difference: the bars before each split were divided by its ratio."""
    shifts = {0.0}
    for ratio in splits.values():
        shifts |= {shift - math.log(ratio) for shift in shifts}
    newest = common[-1][0].day
    if abs(ratios[-1]) > EQUAL_NEWEST and not any(day > newest for day in splits):
        return False
    return all(min(abs(ratio - shift) for shift in shifts) <= EQUAL for ratio in ratios)


def _contradictions(
    common: Sequence[tuple[Row, Row]], ratios: Sequence[float], which: int, current: CurrentPrice | None
) -> float:
    """Return how much one of the two versions contradicts itself and the current price, as a sum of |ln| of ratios.

    Args:
        common: (stored bar, new bar) for each day that both versions have.
        ratios: ln(new ÷ stored) for each of these days.
        which: 0 for the stored version, 1 for the new one.
        current: The current price, if it is known.
    """
    closes = [pair[which].close for pair in common]
    places = [place for place, (last, now) in enumerate(pairwise(ratios), start=1) if abs(now - last) > SCALE]
    total = sum(abs(math.log(closes[place] / closes[place - 1])) for place in places)
    if current is not None and abs(ratios[-1]) > SCALE:
        total += current.distance(closes[-1])
    return total


def rows_after(check: BarCheck, stored: Sequence[Row]) -> list[Row]:
    """Return the bars after the newest stored one. Empty if the newest common bar has another scale in the answer."""
    new = {row.day: row for row in check.rows}
    newest = next((row for row in reversed(stored) if row.day in new), None)
    if newest is None or _difference(newest, new[newest.day]) > EQUAL_NEWEST:
        return []
    return [row for row in check.rows if row.day > stored[-1].day]


def merge_stored(check: BarCheck, stored: Sequence[Row], *, is_full: bool) -> list[Row]:
    """Return the accepted bars together with the stored bars of days that the answer does not have.

    A stored bar is removed if the answer has the same bar and that bar was left out. A full history also removes a
    stored bar that has another scale, or that equals the history's bar of an adjacent date: earlier releases dated
    bars a day early where clocks change at midnight.
    """
    accepted = {row.day: row for row in check.rows}
    days = [row.day for row in check.rows]
    delivered = {row.day: row for _, row in check.findings}
    scales = {row.day: abs(math.log(accepted[row.day].close / row.close)) for row in stored if row.day in accepted}
    common = sorted(scales)
    merged = dict(accepted)
    for row in stored:
        refused = delivered.get(row.day)
        if row.day in accepted or (refused is not None and _is_same(row, refused)):
            continue
        place = bisect_left(common, row.day)
        nearby = common[max(place - 1, 0) : place + 1]
        if is_full and any(scales[day] > EQUAL_NEWEST for day in nearby):
            continue
        place = bisect_left(days, row.day)
        if is_full and any(_difference(row, accepted[day]) <= IDENTICAL for day in days[max(place - 1, 0) : place + 1]):
            continue
        merged[row.day] = row
    return [merged[day] for day in sorted(merged)]


def _is_same(row: Row, refused: Row) -> bool:
    pairs = zip(row.prices, refused.delivered, strict=False)
    return all(abs(old - new) <= EQUAL * old for old, new in pairs)


def describe_changes(stored: Sequence[Row], impossible: Sequence[Row], merged: Sequence[Row]) -> tuple[str, list[Row]]:
    """Return a sentence about the stored bars that a history changes, and those bars. Both are empty if none change.

    Args:
        stored: The stored bars that are possible.
        impossible: The other stored bars, which are never kept.
        merged: The bars that replace all of them.
    """
    after = {row.day: row for row in merged}
    overlap = compare(stored, merged)
    removed = [row for row in (*stored, *impossible) if row.day not in after]
    changed = [*overlap.changed, *(row for row in impossible if row.day in after)]
    filled = [row for row in overlap.filled if all(row.day != other.day for other in impossible)]
    if not (changed or removed or filled):
        return "", []
    parts = [
        f"{len(rows)} {verb}" for rows, verb in ((changed, "replaced"), (removed, "removed"), (filled, "added")) if rows
    ]
    example = ""
    if changed:
        row = changed[0]
        example = f"; the close of {iso_day(row.day)} was {row.close:.6g} and is {after[row.day].close:.6g}"
    return f"history: read in full, stored bars were wrong: {', '.join(parts)}{example}", changed + removed
