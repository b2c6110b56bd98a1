"""Which daily bars can be stored: as they are, mended, or not at all (quarantine). Pure; the rules' reasons: ADR 0022.

Errors of real histories come in three forms: prices in the wrong unit (×100, ÷100) for some days or some cells of a
day, days that jump away and back, and values that are no prices. A level that changes and stays is the market.
"""

import json
import math
import statistics
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from operator import truediv

from financehub_shared.core.models import PAYLOAD_LIMIT, Asset, AssetType, Bars, Quarantined, is_simulated
from financehub_shared.market.quality.quotes import JUMP_LIMIT, PRICE_RANGE

#: |ln| of a change that wants an explanation, if it is also `SIGMAS` times what is usual for the asset.
JUMP = math.log1p(JUMP_LIMIT)
SIGMAS = 10
#: Standard deviations in one median absolute deviation, for a normal distribution.
MAD_SIGMA = 1.4826
#: A day's high and low further apart than this are of different units, or one of them is no price.
RANGE_MAX = 20.0
#: A jump away and back lasts this many days at most.
SPIKE_DAYS = 3
#: Stored bars before the new ones that are looked at.
TAIL = 60
#: Bars shown in a record.
SHOWN = 10
_DAY = 86_400
_HUNDRED = math.log(100)


@dataclass(slots=True)
class Row:
    """One bar while it is judged."""

    day: int
    prices: list[float]  # open, high, low, close
    volume: float
    delivered: tuple[float, ...]

    @property
    def level(self) -> float:
        """Ln of the middle price."""
        return math.log(statistics.median(self.prices))


@dataclass(frozen=True, slots=True)
class CheckedBars:
    """Outcome.

    Args:
        bars: what to store; the very object that came in where nothing was wrong.
        records: what was mended or left out, as delivered; one record a reason.
    """

    bars: Bars
    records: Sequence[Quarantined] = ()


@dataclass(slots=True)
class _Case:
    """Bars of one asset on their way through the rules."""

    asset: Asset
    provider: str
    now: float
    rows: list[Row]
    found: list[tuple[str, Row]] = field(default_factory=list)

    def drop(self, reason: str, bad: Iterable[Row]) -> None:
        gone = list(bad)
        self.found += [(reason, row) for row in gone]
        days = {row.day for row in gone}
        self.rows = [row for row in self.rows if row.day not in days]

    def mend(self, reason: str, row: Row, prices: list[float], volume: float | None = None) -> None:
        self.found.append((f"{reason}, mended", row))
        row.prices = prices
        row.volume = row.volume if volume is None else volume


def validate_bars(asset: Asset, bars: Bars, previous: Bars | None, anchor: float | None, now: float) -> CheckedBars:
    """Judge the bars of one fetch.

    Args:
        asset: whose bars; units are mended for stocks alone, for coins do fall by 99 % in a day.
        bars: new bars, ascending.
        previous: what is stored; days from the first new one on are ignored, they are replaced.
        anchor: the asset's last good quote, positive, in the same currency; decides which of two units is right.
        now: Unix seconds.
    """
    if previous is not None and is_simulated(previous.provider) != is_simulated(bars.provider) and len(bars):
        case = _Case(asset, bars.provider, now, _rows_of(bars))
        case.drop(f"source: stored bars are of {previous.provider}; empty this Redis or use another", case.rows)
        return CheckedBars(_bars_of(bars, case.rows), _records(case))
    before = _tail(previous, bars.days[0]) if previous is not None and len(bars) else []
    if not len(bars) or _is_plain(bars, before, anchor, now):
        return CheckedBars(bars)
    case = _Case(asset, bars.provider, now, _rows_of(bars))
    _refuse_what_is_no_price(case)
    if asset.type is AssetType.STOCK:
        _mend_units_of_days(case, before, anchor)
        _mend_units_of_cells(case, before)
    _refuse_spikes(case, before, anchor)
    if not case.found:
        return CheckedBars(bars)
    return CheckedBars(_bars_of(bars, case.rows), _records(case))


def _tail(previous: Bars, first_day: int) -> list[float]:
    """Closes before `first_day`, oldest first."""
    closes = [close for day, close in zip(previous.days, previous.close, strict=True) if day < first_day]
    return closes[-TAIL:]


def _is_plain(bars: Bars, before: list[float], anchor: float | None, now: float) -> bool:
    """Whether nothing is worth a second look; true for almost all, so it is quick."""
    lowest, highest = float(PRICE_RANGE[0]), float(PRICE_RANGE[1])
    for column in (bars.open, bars.high, bars.low, bars.close):
        # NaN compares false, and min and max of a column with NaN may miss it
        if not (min(column) >= lowest and max(column) <= highest and math.isfinite(sum(column))):
            return False
    if not (min(bars.volume) >= 0 and math.isfinite(sum(bars.volume))) or bars.days[-1] > now // _DAY + 1:
        return False
    if max(map(truediv, bars.high, bars.low)) > RANGE_MAX or min(map(truediv, bars.high, bars.low)) < 1 / RANGE_MAX:
        return False
    closes = before[-1:] + list(bars.close)
    changes = list(map(truediv, closes[1:], closes))
    inside = map(truediv, bars.open, bars.close)
    quoted = [bars.close[-1] / anchor] if anchor else []
    limit = 1 + JUMP_LIMIT
    return all(1 / limit <= change <= limit for change in (*changes, *inside, *quoted))


def _refuse_what_is_no_price(case: _Case) -> None:
    lowest, highest = float(PRICE_RANGE[0]), float(PRICE_RANGE[1])
    case.drop(
        "price: not a positive number in range",
        [row for row in case.rows if not all(lowest <= price <= highest for price in row.prices)],
    )
    today = case.now // _DAY
    case.drop("future: a day that is not over anywhere", [row for row in case.rows if row.day > today + 1])
    for row in case.rows:
        if not (math.isfinite(row.volume) and row.volume >= 0):
            case.mend(f"volume: {row.volume} set to 0", row, row.prices, 0.0)


def _unit_step(change: float) -> int:
    """1 where ln of a change is that of ×100, -1 for ÷100, 0 else."""
    for step in (1, -1):
        if abs(change - step * _HUNDRED) <= JUMP:
            return step
    return 0


def _in_unit(price: float, off: int) -> float:
    """A price without the `off` factors of 100 that are too many; divided, never multiplied by 0.01, to stay exact."""
    return price / 100.0**off if off > 0 else price * 100.0**-off


def _mend_units_of_days(case: _Case, before: list[float], anchor: float | None) -> None:
    """Bring days that are 100 times too high or too low to the level of the rest."""
    whole = [row for row in case.rows if not _is_torn(row)]
    if not whole:
        return
    levels = [row.level for row in whole]
    steps = [0]
    for last, level in pairwise(levels):
        steps.append(steps[-1] + _unit_step(level - last))
    verdict = _right_step(steps, levels, before, anchor)
    if verdict is None:
        case.drop("unit: every day is 100 times off the last quote; one of the two is wrong", whole)
        return
    right, evidence = verdict
    for row, step in zip(whole, steps, strict=True):
        if step != right:
            off = step - right
            sign = f"{'×' if off > 0 else '÷'}{100 ** abs(off)}"
            case.mend(f"unit: {sign} against {evidence}", row, [_in_unit(price, off) for price in row.prices])


def _right_step(
    steps: Sequence[int], levels: Sequence[float], before: list[float], anchor: float | None
) -> tuple[int, str] | None:
    """Which of the units is the right one, and who says so: the last quote, the stored bars, or most of the days.

    The quote chooses between the units that are there. Alone against all days it may itself be the one that is wrong:
    then the stored bars decide, and without any nobody can (None).
    """
    by_quote = _step_of(anchor, levels[-1], steps[-1])
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
    """The step of a known price, where the day of `level` and `step` is at that price, or a factor of 100 away."""
    if not known:
        return None
    difference = level - math.log(known)
    off = _unit_step(difference)
    return step - off if off or abs(difference) <= JUMP else None


def _is_torn(row: Row) -> bool:
    return max(row.prices) / min(row.prices) > RANGE_MAX


def _mend_units_of_cells(case: _Case, before: list[float]) -> None:
    """Mend single prices of a day that are 100 times off; a day that is torn in another way is left out."""
    torn = []
    reference = before[-1] if before else None
    for place, row in enumerate(case.rows):
        if not _is_torn(row):
            reference = row.prices[3]
            continue
        near = reference or next((other.prices[0] for other in case.rows[place + 1 :] if not _is_torn(other)), None)
        steps = [_unit_step(math.log(price / near)) if near else 0 for price in row.prices]
        mended = [_in_unit(price, step) for price, step in zip(row.prices, steps, strict=True)]
        if not any(steps) or max(mended) / min(mended) > RANGE_MAX:
            torn.append(row)
            continue
        names = [name for name, step in zip(("open", "high", "low", "close"), steps, strict=True) if step]
        case.mend(f"unit: {', '.join(names)} off by 100", row, [mended[0], max(mended), min(mended), mended[3]])
        reference = mended[3]
    case.drop(f"range: high and low differ by a factor over {RANGE_MAX:.0f}", torn)


def _refuse_spikes(case: _Case, before: list[float], anchor: float | None) -> None:
    """Leave out days that jump away and back, and a last day that jumps and that no quote confirms."""
    rows = case.rows
    levels = [math.log(close) for close in before] + [math.log(row.prices[3]) for row in rows]
    limit = max(JUMP, SIGMAS * _usual_change(levels))
    offset = len(before)
    bad: list[Row] = []
    place = max(offset, 1)
    while place < len(levels):
        base = levels[place - 1]
        if abs(levels[place] - base) <= limit:
            place += 1
            continue
        back = next(
            (
                after
                for after in range(place + 1, min(place + SPIKE_DAYS, len(levels) - 1) + 1)
                if abs(levels[after] - base) <= JUMP
            ),
            None,
        )
        if back is not None:
            bad += rows[place - offset : back - offset]
            place = back + 1
            continue
        confirmed = bool(anchor) and abs(levels[-1] - math.log(anchor or 1)) <= JUMP
        if place == len(levels) - 1 and not confirmed:
            bad.append(rows[place - offset])
        place += 1
    case.drop(f"jump: by more than {math.expm1(limit) * 100:.0f} %, away and back or not confirmed yet", bad)


def _usual_change(levels: Sequence[float]) -> float:
    """Robust standard deviation of the daily changes of ln price."""
    changes = [abs(now - last) for last, now in pairwise(levels)]
    return MAD_SIGMA * statistics.median(changes) if changes else 0.0


def _rows_of(bars: Bars) -> list[Row]:
    columns = zip(bars.open, bars.high, bars.low, bars.close, bars.volume, strict=True)
    return [Row(day, list(cells[:4]), cells[4], cells) for day, cells in zip(bars.days, columns, strict=True)]


def _bars_of(bars: Bars, rows: Sequence[Row]) -> Bars:
    open, high, low, close = (array("d", (row.prices[cell] for row in rows)) for cell in range(4))
    volume = array("d", (row.volume for row in rows))
    return Bars(bars.symbol, bars.provider, array("i", (row.day for row in rows)), open, high, low, close, volume)


def _records(case: _Case) -> list[Quarantined]:
    grouped: dict[str, list[Row]] = {}
    for reason, row in case.found:
        grouped.setdefault(reason, []).append(row)
    return [
        Quarantined("bar", case.asset.symbol, case.provider, reason, _payload(rows), case.now)
        for reason, rows in grouped.items()
    ]


def _payload(rows: Sequence[Row]) -> str:
    shown = [[row.day, *map(_number, row.delivered)] for row in rows[:SHOWN]]
    return json.dumps({"bars": len(rows), "day, open, high, low, close, volume": shown})[:PAYLOAD_LIMIT]


def _number(value: float) -> float | str:
    """NaN and Infinity are no JSON."""
    return value if math.isfinite(value) else str(value)
