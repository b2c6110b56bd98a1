"""Validates daily bars: each bar is stored as delivered, corrected, or quarantined. Pure; ADR 0022 has the reasons.

Real histories contain three kinds of errors: prices in the wrong unit (×100, ÷100) for some days or for some prices of
a day, days that jump away and back, and values that are not prices. A lasting change of level is a market move.
"""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from operator import truediv

from financehub_shared.core.durations import DAY_SECONDS
from financehub_shared.core.kinds import AssetType
from financehub_shared.core.models import Asset, Bars, Quarantined, is_simulated
from financehub_shared.market.quality.bar_check import RANGE_MAX, BarCheck, Row
from financehub_shared.market.quality.bar_units import JUMP, JUMP_LIMIT, correct_cells, correct_days
from financehub_shared.market.quality.quotes import PRICE_RANGE

#: A change is a jump if it exceeds `JUMP` and this many standard deviations of the asset's daily changes.
SIGMAS = 10
#: Standard deviations per median absolute deviation of a normal distribution.
MAD_SIGMA = 1.4826
#: Longest spike, which is a jump away and back, in days.
SPIKE_DAYS = 3
#: Number of stored bars before the first new one that the checks consider.
TAIL = 60
_DAY = DAY_SECONDS


@dataclass(frozen=True, slots=True)
class CheckedBars:
    """Result of a validation.

    Args:
        bars: The bars to store, which are the input object itself if nothing was wrong.
        records: Corrected and dropped bars as delivered, one record per reason.
    """

    bars: Bars
    records: Sequence[Quarantined] = ()


def validate_bars(asset: Asset, bars: Bars, previous: Bars | None, last_quote: float | None, now: float) -> CheckedBars:
    """Check the bars of one fetch.

    Args:
        asset: The asset. Units are corrected only for stocks, because coins can really fall by 99 % in a day.
        bars: New bars, ascending by day.
        previous: The stored bars; those from the first new day on are ignored, because they are replaced.
        last_quote: The last good quote, positive and in the same currency; it decides which of two units is correct.
        now: Unix seconds.
    """
    if previous is not None and is_simulated(previous.provider) != is_simulated(bars.provider) and len(bars):
        check = BarCheck.of(asset, bars, now)
        check.drop(f"source: stored bars are from {previous.provider}; empty this Redis or use another", check.rows)
        return CheckedBars(check.accepted(), check.records())
    before = _tail(previous, bars.days[0]) if previous is not None and len(bars) else []
    if not len(bars) or _is_plausible(bars, before, last_quote, now):
        return CheckedBars(bars)
    check = BarCheck.of(asset, bars, now)
    _drop_impossible_values(check)
    if asset.type is AssetType.STOCK:
        correct_days(check, before, last_quote)
        correct_cells(check, before)
    _drop_spikes(check, before, last_quote)
    if not check.findings:
        return CheckedBars(bars)
    return CheckedBars(check.accepted(), check.records())


def _tail(previous: Bars, first_day: int) -> list[float]:
    """Return up to `TAIL` closes before `first_day`, oldest first."""
    closes = [close for day, close in zip(previous.days, previous.close, strict=True) if day < first_day]
    return closes[-TAIL:]


def _is_plausible(bars: Bars, before: list[float], last_quote: float | None, now: float) -> bool:
    """Whether the bars need no closer check. This fast test passes for nearly all bars."""
    lowest, highest = float(PRICE_RANGE[0]), float(PRICE_RANGE[1])
    for column in (bars.open, bars.high, bars.low, bars.close):
        # min and max may miss a NaN, so the sum is checked too
        if not (min(column) >= lowest and max(column) <= highest and math.isfinite(sum(column))):
            return False
    if not (min(bars.volume) >= 0 and math.isfinite(sum(bars.volume))) or bars.days[-1] > now // _DAY + 1:
        return False
    if max(map(truediv, bars.high, bars.low)) > RANGE_MAX or min(map(truediv, bars.high, bars.low)) < 1 / RANGE_MAX:
        return False
    closes = before[-1:] + list(bars.close)
    changes = list(map(truediv, closes[1:], closes))
    inside = map(truediv, bars.open, bars.close)
    quoted = [bars.close[-1] / last_quote] if last_quote else []
    limit = 1 + JUMP_LIMIT
    return all(1 / limit <= change <= limit for change in (*changes, *inside, *quoted))


def _drop_impossible_values(check: BarCheck) -> None:
    lowest, highest = float(PRICE_RANGE[0]), float(PRICE_RANGE[1])
    check.drop(
        "price: not a positive number in range",
        [row for row in check.rows if not all(lowest <= price <= highest for price in row.prices)],
    )
    today = check.now // _DAY
    check.drop("future: the day has not ended anywhere", [row for row in check.rows if row.day > today + 1])
    for row in check.rows:
        if not (math.isfinite(row.volume) and row.volume >= 0):
            check.correct(f"volume: {row.volume} set to 0", row, row.prices, 0.0)


def _drop_spikes(check: BarCheck, before: list[float], last_quote: float | None) -> None:
    """Drop days that jump away and back, and a last day that jumps unless the last quote confirms it."""
    rows = check.rows
    levels = [math.log(close) for close in before] + [math.log(row.prices[3]) for row in rows]
    limit = max(JUMP, SIGMAS * _usual_change(levels))
    offset = len(before)
    spikes: list[Row] = []
    place = max(offset, 1)
    while place < len(levels):
        base = levels[place - 1]
        if abs(levels[place] - base) <= limit:
            place += 1
            continue
        window = range(place + 1, min(place + SPIKE_DAYS, len(levels) - 1) + 1)
        back = next((after for after in window if abs(levels[after] - base) <= JUMP), None)
        if back is not None:
            spikes += rows[place - offset : back - offset]
            place = back + 1
            continue
        confirmed = bool(last_quote) and abs(levels[-1] - math.log(last_quote or 1)) <= JUMP
        if place == len(levels) - 1 and not confirmed:
            spikes.append(rows[place - offset])
        place += 1
    check.drop(f"jump: by more than {math.expm1(limit) * 100:.0f} %, away and back or not confirmed yet", spikes)


def _usual_change(levels: Sequence[float]) -> float:
    """Return a robust standard deviation of the daily changes in ln price."""
    changes = [abs(now - last) for last, now in pairwise(levels)]
    return MAD_SIGMA * statistics.median(changes) if changes else 0.0
