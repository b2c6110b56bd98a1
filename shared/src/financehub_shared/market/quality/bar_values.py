"""Checks each bar by itself: its day, its prices, its volume, and whether its prices fit together. Pure."""

import math
from collections import Counter

from financehub_shared.core.days import SATURDAY, SUNDAY, week, weekday
from financehub_shared.core.durations import DAY_SECONDS
from financehub_shared.core.models import Asset, BarAnswer, Bars
from financehub_shared.market.quality.bar_check import CLOSE, HIGH, LOW, OPEN, BarCheck, Row
from financehub_shared.market.quality.bar_moves import CUT, JUMP, Moves

#: Bitcoin in rials is 10^16 and the cheapest listed coin about 10^-12 USD; values such as 1e308 are out of range.
PRICE_RANGE = (1e-18, 1e18)
#: If the highest and lowest price of a day differ by more than this factor, their units differ, or one of them is not
#: a price.
RANGE_MAX = 20.0
#: Below this price, one price step is a large part of the price, so a wide range is possible.
PENNY = 0.01
#: If an open or close is outside the day's range by at most this |ln|, the cause is rounding.
ROUNDING = 1e-6
#: The same limit for auction prices, which some exchanges leave out of the range (0.6 % in a recording of SSW.JO).
AUCTION = 0.02
#: A day of the week is a trading day if it has a bar in this fraction of the weeks, of which there must be `WEEKS_MIN`.
WEEKDAY_SHARE = 0.25
WEEKS_MIN = 4
#: Within this many days before and after an announced split, a change is never attributed to a wrong unit.
SPLIT_DAYS = 14
_NAMES = ("open", "high", "low", "close")


def leave_out_impossible(check: BarCheck) -> None:
    """Leave out bars with invalid prices or with a day that cannot have a bar, and remove impossible volumes."""
    lowest, highest = PRICE_RANGE
    check.leave_out(
        "price: not a positive number in range",
        [row for row in check.rows if not all(lowest <= price <= highest for price in row.prices)],
    )
    today = check.now // DAY_SECONDS
    check.leave_out("future: the day has not ended anywhere", [row for row in check.rows if row.day > today + 1])
    for row in check.rows:
        if not (math.isfinite(row.volume) and row.volume >= 0):
            check.correct(f"volume: {row.volume} set to 0", row, row.prices, 0.0)
    if check.is_stock:
        _leave_out_weekends(check)


def check_stored(asset: Asset, stored: Bars, now: float) -> tuple[list[Row], list[Row]]:
    """Return the stored bars that are possible, and those that would be left out of an answer for a price or the day.

    Stored bars are not trusted either. They can come from an earlier release, or a wrong clock may have dated them.
    """
    check = BarCheck(asset, BarAnswer(stored), now)
    everything = check.rows
    leave_out_impossible(check)
    possible = {row.day for row in check.rows}
    return check.rows, [row for row in everything if row.day not in possible]


def _leave_out_weekends(check: BarCheck) -> None:
    """Leave out bars of a weekend, unless the exchange trades on that day or held a special session.

    Exchanges in the Middle East trade on Sundays. India has special sessions on weekends. If a bar has a
    wrong date, the adjacent weekday has no bar, or it has the same one.
    """
    known = [*check.before, *check.rows]
    by_day = {row.day: row for row in known}
    weeks = len({week(row.day) for row in known})
    frequent = Counter(weekday(row.day) for row in known)
    traded = Counter(weekday(row.day) for row in known if row.volume > 0)

    def is_trading_day(name: int) -> bool:
        is_frequent = weeks >= WEEKS_MIN and frequent[name] >= WEEKDAY_SHARE * weeks
        return is_frequent and (traded[name] > 0 or not traded)

    def is_wrong(row: Row) -> bool:
        name = weekday(row.day)
        if name < SATURDAY:
            return False
        adjacent = by_day.get(row.day + (1 if name == SUNDAY else -1))
        is_traded = row.volume > 0 and row.prices[HIGH] > row.prices[LOW]
        if adjacent is not None and is_traded and row.delivered == adjacent.delivered:
            return True
        return not (is_trading_day(name) or (row.volume > 0 and adjacent is not None))

    check.leave_out("weekend: the exchange is closed on this day", [row for row in check.rows if is_wrong(row)])


def correct_cells(check: BarCheck) -> None:
    """Correct single prices of a day, except for coins, that are 100 times too high or too low.

    The evidence is conclusive if the adjacent bars have the level of the day's other prices. Near an announced split,
    nothing is corrected.
    """
    for place, row in enumerate(check.rows):
        if not is_too_wide(row):
            continue
        last = next((other.close for other in _before(check, place) if not is_too_wide(other)), None)
        following = next((other.open for other in check.rows[place + 1 :] if not is_too_wide(other)), None)
        adjacent = [price for price in (last, following) if price is not None]
        if not adjacent or not _are_near(adjacent[0], adjacent[-1]) or _is_near_split(check, row.day):
            continue
        corrected = [_to_unit_of(price, adjacent[0]) for price in row.prices]
        prices = [price for price in corrected if price is not None]
        if len(prices) == len(corrected):
            wrong = [name for name, old, new in zip(_NAMES, row.prices, prices, strict=True) if old != new]
            prices = [prices[OPEN], max(prices), min(prices), prices[CLOSE]]
            check.correct(f"unit: {', '.join(wrong)} off by 100 against the bars around it", row, prices)


def _before(check: BarCheck, place: int) -> list[Row]:
    """Return the bars before an index of the checked bars, nearest first. They include the stored bars before them."""
    return [*reversed(check.rows[:place]), *reversed(check.before)]


def _are_near(one: float, other: float) -> bool:
    return abs(math.log(one / other)) <= JUMP


def _to_unit_of(price: float, other: float) -> float | None:
    """Return a price in the unit of another price. None if the two prices are not near each other in any unit."""
    return next((each for each in (price, price / 100, price * 100) if _are_near(each, other)), None)


def _is_near_split(check: BarCheck, day: int) -> bool:
    return any(abs(split - day) <= SPLIT_DAYS for split in check.answer.splits)


def is_too_wide(row: Row) -> bool:
    """Whether the prices of a day differ by more than `RANGE_MAX` and are not all at or below `PENNY`."""
    return max(row.prices) > PENNY and max(row.prices) / min(row.prices) > RANGE_MAX


def fit_ranges(check: BarCheck) -> None:
    """Ensure that low ≤ open, close ≤ high. The range is extended to auction prices; other bars are left out."""
    wrong, wide, untraded = [], [], []
    moves = Moves([*check.before, *check.rows], check.answer.dividends)
    for place, row in enumerate(check.rows):
        open, high, low, close = row.prices
        outside = math.log(max(max(open, close) / high, low / min(open, close), low / high))
        if outside > AUCTION:
            wrong.append(row)
        elif check.is_stock and is_too_wide(row) and not _is_listing(check, place):
            wide.append(row)
        elif check.is_stock and is_untraded_wick(moves, len(check.before) + place):
            untraded.append(row)
        else:
            prices = [open, max(row.prices), min(row.prices), close]
            if outside > ROUNDING:
                reason = "range: the open or close is slightly outside the range, which now includes it"
                check.correct(reason, row, prices)
            row.prices = prices
    check.leave_out(f"range: the open or close is more than {AUCTION * 100:.0f} % outside the range", wrong)
    check.leave_out(f"range: high and low differ by a factor over {RANGE_MAX:.0f}", wide)
    check.leave_out("range: the high or low is more than 4 times off the other prices, on a usual volume", untraded)


def is_untraded_wick(moves: Moves, i: int) -> bool:
    """Whether the high or low is far from the open, the close and the last close, although the volume is not unusual.

    Upstreams also miss the adjustment for a split in a single column.
    """
    row = moves.rows[i]
    others = [row.open, row.close, *([moves.rows[i - 1].close] if i else [])]
    factor = max(row.prices[HIGH] / max(others), min(others) / row.prices[LOW])
    return math.log(factor) > CUT and max(row.prices) > PENNY and moves.has_usual_volume(i)


def _is_listing(check: BarCheck, place: int) -> bool:
    """Whether a bar is the first one and the next bar continues from its close. A listing day can have any range."""
    is_first = place == 0 and not check.before and len(check.rows) > 1
    return is_first and _are_near(check.rows[1].open, check.rows[0].close)
