"""Decides which daily bars are stored: as delivered, corrected, or not at all. Pure; see docs/data-quality.md.

Bars arrive in two ways. A short answer overlaps the newest stored bars and adds new ones. Anything unusual about it is
a reason to read the whole history, because only a whole history shows scale and gaps. A full history is checked by
itself and then compared with the stored bars.
"""

import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, replace
from operator import le, truediv

from financehub_shared.core.days import SATURDAY, iso_day, weekday
from financehub_shared.core.durations import DAY_SECONDS
from financehub_shared.core.kinds import AssetType
from financehub_shared.core.models import PAYLOAD_LIMIT, Asset, BarAnswer, Bars, Quarantined, Quote, is_simulated
from financehub_shared.market.quality.bar_check import BarCheck, CurrentPrice, Row, bars_of
from financehub_shared.market.quality.bar_history import (
    compare,
    describe_changes,
    is_continued_by,
    keeps_stored,
    merge_stored,
    rows_after,
)
from financehub_shared.market.quality.bar_jumps import leave_out_bad_cells, leave_out_doubtful_newest
from financehub_shared.market.quality.bar_moves import CUT, JUMP, Moves
from financehub_shared.market.quality.bar_sections import find_cuts, keep_known_levels
from financehub_shared.market.quality.bar_splits import correct_splits
from financehub_shared.market.quality.bar_units import correct_units
from financehub_shared.market.quality.bar_values import (
    PRICE_RANGE,
    check_stored,
    correct_cells,
    fit_ranges,
    leave_out_impossible,
)
from financehub_shared.market.quality.current_price import current_price

#: Number of stored bars before the first bar of a short answer that the checks consider.
TAIL = 60
#: Number of newest bars that must all contradict the current price, because a single one may be a real crash.
LEVEL_BARS = 5
#: Classes of reasons for problems that an upstream may still repair, so the history is read again on the next day.
UNSETTLED = frozenset({"history", "jump", "scale", "split", "unit", "unreadable"})
EMPTY = "the answer has no bars although bars are stored"


@dataclass(frozen=True, slots=True)
class CheckedBars:
    """The decision about one answer.

    Args:
        bars: The bars that replace all stored ones from `first_day` on. Empty if the stored bars stay as they are.
        first_day: First day that is replaced, in days since 1970-01-01.
        records: What was corrected or left out, as delivered, one record per reason.
        doubt: Why the whole history must be read. Empty if it need not be. Bars whose scale is in doubt are not stored.
        late: Why the newest delivered bar is not stored. Empty if it is stored.
    """

    bars: Bars
    first_day: int
    records: Sequence[Quarantined] = ()
    doubt: str = ""
    late: str = ""

    @property
    def is_settled(self) -> bool:
        """Whether nothing was found that the upstream may still repair."""
        return not self.doubt and not any(record.reason_class in UNSETTLED for record in self.records)


def check_increment(asset: Asset, answer: BarAnswer, stored: Bars, quote: Quote | None, now: float) -> CheckedBars:
    """Check a short answer that overlaps the newest stored bars.

    Args:
        asset: The asset.
        answer: The answer.
        stored: The stored bars, at least one.
        quote: The stored quote of the asset. None if there is none.
        now: Unix seconds.
    """
    bars = answer.bars
    if not len(bars):
        return CheckedBars(bars, 0, _problems(asset, answer, now), EMPTY, EMPTY)
    if is_simulated(stored.provider) != is_simulated(bars.provider):
        return _mixed(asset, answer, stored, now)
    price = current_price(asset, answer, quote, now, is_first=False)
    if not answer.problems and _is_near(price, bars) and _is_ordinary(asset, answer, stored, now):
        return CheckedBars(bars, bars.days[0])
    old, impossible = check_stored(asset, stored, now)
    if impossible:
        doubt = f"the stored bars of {_days(impossible)} have an impossible price or day"
        return CheckedBars(_none(bars), 0, _problems(asset, answer, now), doubt, doubt)
    start = bisect_left(stored.days, bars.days[0])
    check = BarCheck(asset, answer, now, old[max(start - TAIL, 0) : start], price)
    _check_values(check)
    overlap = compare(old, check.rows)
    if overlap.changed:
        doubt = f"the stored bars of {_days(overlap.changed)} are different now"
    else:
        doubt = _scale_doubt(check, stored.days[-1])
    leave_out_bad_cells(check)
    leave_out_doubtful_newest(check)
    records = [*check.records(), *_problems(asset, answer, now)]
    if doubt or not check.rows:
        return CheckedBars(_none(bars), 0, records, doubt, doubt or _late(check, check.rows))
    filled = f"bars of {_days(overlap.filled)} were missing until now" if overlap.filled else ""
    merged = merge_stored(check, old[start:], is_full=False)
    return CheckedBars(_bars(check, merged), bars.days[0], records, filled, _late(check, merged))


def check_history(
    asset: Asset, answer: BarAnswer, stored: Bars | None, quote: Quote | None, now: float, *, is_fallback: bool = False
) -> CheckedBars:
    """Check a full history.

    Args:
        asset: The asset.
        answer: The answer.
        stored: The stored bars. None if there are none.
        quote: The stored quote of the asset. None if there is none.
        now: Unix seconds.
        is_fallback: Whether the answer is from a provider other than the first choice.
    """
    bars = answer.bars
    if not len(bars):
        return CheckedBars(bars, 0, _problems(asset, answer, now), late=EMPTY if stored is not None else "")
    if stored is not None and is_simulated(stored.provider) != is_simulated(bars.provider):
        return _mixed(asset, answer, stored, now)
    price = current_price(asset, answer, quote, now, is_first=stored is None)
    is_plain = not (answer.problems or answer.splits)
    if is_plain and _is_near(price, bars) and _is_ordinary(asset, answer, stored, now):
        return CheckedBars(bars, bars.days[0])
    old, impossible = check_stored(asset, stored, now) if stored is not None else ([], [])
    check = BarCheck(asset, answer, now, current=price)
    _check_values(check)
    if check.is_stock:
        correct_splits(check)
        correct_units(check, old)
    leave_out_bad_cells(check)
    if check.is_stock:
        keep_known_levels(check, old)
    _leave_out_other_scale(check)
    leave_out_doubtful_newest(check)
    return _choose(check, old, impossible, is_fallback=is_fallback)


def _choose(check: BarCheck, stored: Sequence[Row], impossible: Sequence[Row], *, is_fallback: bool) -> CheckedBars:
    """Decide between the checked bars of a full history and the stored ones, without the impossible stored ones."""
    bars = check.answer.bars
    records = [*check.records(), *_problems(check.asset, check.answer, check.now)]
    if not check.rows:
        return CheckedBars(_none(bars), 0, records, late=_late(check, check.rows))
    if reason := keeps_stored(check, stored, is_fallback=is_fallback) if stored else "":
        records.append(check.record(reason, check.rows))
        added = rows_after(check, stored)
        if not added:
            return CheckedBars(_none(bars), 0, records, late=reason)
        return CheckedBars(_bars(check, added), added[0].day, records, late=_late(check, added))
    merged = merge_stored(check, stored, is_full=True)
    change, rows = describe_changes(stored, impossible, merged)
    if change:
        records.append(check.record(change, rows))
    return CheckedBars(_bars(check, merged), 0, records, late=_late(check, merged))


def _check_values(check: BarCheck) -> None:
    leave_out_impossible(check)
    if check.is_stock:
        correct_cells(check)
    fit_ranges(check)


def _scale_doubt(check: BarCheck, newest: int) -> str:
    """Return why the scale of a short answer is in doubt. Empty if it is not in doubt."""
    split = max(check.answer.splits, default=newest)
    if split > newest:
        return f"a split takes effect on {iso_day(split)}"
    if _is_other_scale(check):
        return "the bars are on another scale than the current price"
    if not (check.is_stock and check.rows):
        return ""
    moves = Moves([*check.before, *check.rows], check.answer.dividends)
    cuts = [moves.rows[cut] for cut in find_cuts(moves) if cut >= len(check.before)]
    return f"the level changes on {_days(cuts)} for no known reason" if cuts else ""


def _is_near(price: CurrentPrice | None, bars: Bars) -> bool:
    """Whether the newest bar does not contradict the current price."""
    return price is None or (bars.close[-1] > 0 and price.distance(bars.close[-1]) <= CUT)


def _is_other_scale(check: BarCheck) -> bool:
    """Whether the bars and the stored quote contradict each other, so that one of the two is wrong."""
    price, newest = check.current, check.rows[-LEVEL_BARS:]
    if price is None or not price.is_quoted or not newest:
        return False
    return all(price.distance(row.close) > CUT for row in newest)


def _leave_out_other_scale(check: BarCheck) -> None:
    """Leave out a history that contradicts the stored quote. The stored bars are kept, and no bars are added."""
    if check.current is not None and _is_other_scale(check):
        times = f"×{check.rows[-1].close / check.current.value:.3g}"
        check.leave_out(f"scale: every bar is {times} of the current price; one of the two is wrong", check.rows)


def _is_ordinary(asset: Asset, answer: BarAnswer, stored: Bars | None, now: float) -> bool:
    """Whether an answer needs no closer check. This test is fast, and nearly all answers pass it."""
    bars = answer.bars
    if stored is not None:
        is_split = max(answer.splits, default=0) > stored.days[-1]
        if is_split or not is_continued_by(stored, bars):
            return False
    is_week = asset.type is not AssetType.STOCK or not any(weekday(day) >= SATURDAY for day in bars.days)
    return is_week and bars.days[-1] <= now // DAY_SECONDS + 1 and _fits_together(asset, bars, stored)


def _fits_together(asset: Asset, bars: Bars, stored: Bars | None) -> bool:
    """Whether every bar is valid by itself and no change is a jump."""
    lowest, highest = PRICE_RANGE
    for column in (bars.open, bars.high, bars.low, bars.close):
        # min and max may miss a NaN, so the sum is checked too
        if not (min(column) >= lowest and max(column) <= highest and math.isfinite(sum(column))):
            return False
    if not (min(bars.volume) >= 0 and math.isfinite(sum(bars.volume))):
        return False
    for low, high in ((bars.low, bars.open), (bars.low, bars.close), (bars.open, bars.high), (bars.close, bars.high)):
        if not all(map(le, low, high)):
            return False
    if asset.type is AssetType.STOCK and math.log(max(map(truediv, bars.high, bars.low))) > CUT:
        return False
    closes = bars.close
    if stored is not None:
        start = bisect_left(stored.days, bars.days[0])
        closes = stored.close[max(start - 1, 0) : start] + closes
        if not closes[0] >= lowest:
            return False
    changes = list(map(truediv, closes[1:], closes))
    limit = math.exp(JUMP)
    return not changes or (min(changes) >= 1 / limit and max(changes) <= limit)


def _problems(asset: Asset, answer: BarAnswer, now: float) -> list[Quarantined]:
    """Return a record of the elements that could not be read."""
    if not answer.problems:
        return []
    first, more = answer.problems[0], len(answer.problems) - 1
    reason = f"unreadable: {first}" + (f"; and {more} more" if more else "")
    payload = "\n".join(answer.problems)[:PAYLOAD_LIMIT]
    return [Quarantined("bar", asset.symbol, answer.bars.provider, reason, payload, now)]


def _mixed(asset: Asset, answer: BarAnswer, stored: Bars, now: float) -> CheckedBars:
    """Refuse to store simulated bars together with real ones."""
    check = BarCheck(asset, answer, now)
    reason = f"source: stored bars are from {stored.provider}; empty this Redis or use another"
    return CheckedBars(_none(answer.bars), 0, [check.record(reason, check.rows)], late=reason)


def _late(check: BarCheck, rows: Sequence[Row]) -> str:
    """Return why the newest delivered bar is not among the rows. Empty if it is among them."""
    newest = check.answer.bars.days[-1]
    if rows and rows[-1].day >= newest:
        return ""
    return next((reason for reason, row in reversed(check.findings) if row.day == newest), "left out")


def _bars(check: BarCheck, rows: Sequence[Row]) -> Bars:
    return bars_of(check.answer.bars.symbol, check.answer.bars.provider, rows)


def _none(bars: Bars) -> Bars:
    empty = {name: getattr(bars, name)[:0] for name in ("days", "open", "high", "low", "close", "volume")}
    return replace(bars, **empty)


def _days(rows: Sequence[Row]) -> str:
    """Return `2025-01-31` or `4 days from 2025-01-31 on`."""
    first = iso_day(rows[0].day)
    return first if len(rows) == 1 else f"{len(rows)} days from {first} on"
