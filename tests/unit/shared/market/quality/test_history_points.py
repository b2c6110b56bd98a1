"""Tests of price histories: refuted prices, splits and wrong units. The names of cases are rows of data-quality.md."""

import math
from array import array
from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from financehub_shared.core.durations import DAY_SECONDS
from financehub_shared.core.models import Bars, PricePoint, ScaleChange
from financehub_shared.market.encoding.history import StoredPoint
from financehub_shared.market.quality.history_points import build_history, settle_points

#: A Monday.
MONDAY = 20_836
SESSION = 14.5 * 3_600, 21 * 3_600


def stored(prices: str) -> list[StoredPoint]:
    """Return the records of prices that were accepted every two minutes, such as `100 100 10? 10? 101`.

    A question mark follows an unconfirmed price, and an s precedes a simulated one.
    """
    return [
        StoredPoint(120.0 * number, float(text.strip("?s")), text.endswith("?"), text.startswith("s"))
        for number, text in enumerate(prices.split())
    ]


def shown(points: Sequence[PricePoint]) -> str:
    """Return points in the form of `stored`."""
    return " ".join(f"{point.price:g}{'?' * point.unconfirmed}" for point in points)


@pytest.mark.parametrize(
    ("prices", "expected"),
    [
        pytest.param("", "", id="nothing"),
        pytest.param("100 101 55", "100 101 55", id="a real crash"),
        pytest.param("100 10? 11? 101", "100 101", id="H1 refuted"),
        pytest.param("100 10? 11? 12", "100 10 11 12", id="H2 confirmed"),
        pytest.param("100 10? 11?", "100 10? 11?", id="H3 open"),
        pytest.param("100 10? 11? 100?", "100 100?", id="H1 replaced by an unconfirmed price"),
        pytest.param("100 10? 11? 100? 101", "100 100 101", id="H1 then H2"),
        pytest.param("100 10? 101 10? 102 10?", "100 101 102 10?", id="H1 again and again"),
        pytest.param("100? 99? 10", "10", id="H1 wrong from the begin"),
        pytest.param("10? 14? 19? 25? 30", "10 14 19 25 30", id="H2 a level that moves"),
        pytest.param("s5 s6 100 101", "100 101", id="H7 real after simulated"),
        pytest.param("100 s5 101 s6", "5 6", id="H7 simulated after real"),
    ],
)
def test_settle_points_decides_by_what_followed(prices: str, expected: str):
    """H1 to H3, H7: a price stays unless the next stored price refutes it."""
    assert shown(settle_points(stored(prices))) == expected


def test_settle_points_returns_repetitions_once_and_sorts():
    """H8: a price that is confirmed later with the same time counts once, and as confirmed. Times are ascending."""
    records = [
        StoredPoint(60.0, 10.0, unconfirmed=True, simulated=False),
        StoredPoint(60.0, 10.0, unconfirmed=False, simulated=False),
        StoredPoint(30.0, 9.0, unconfirmed=False, simulated=False),
        StoredPoint(30.0, 9.5, unconfirmed=False, simulated=False),
    ]
    assert settle_points(records) == [PricePoint(30.0, 9.0), PricePoint(30.0, 9.5), PricePoint(60.0, 10.0)]


@given(st.lists(st.tuples(st.sampled_from([10.0, 11.0, 100.0, 110.0]), st.booleans()), max_size=12))
def test_settle_points_keeps_every_good_price_and_the_newest(prices: list[tuple[float, bool]]):
    """Only unconfirmed prices are ever left out, and nothing is left out after the last good price at its level."""
    records = [StoredPoint(60.0 * number, *price, simulated=False) for number, price in enumerate(prices)]
    points = settle_points(records)
    kept = {point.at for point in points}
    assert kept >= {record.at for record in records if not record.unconfirmed}
    assert kept >= {record.at for record in records[-1:]}
    assert {point for point in points if point.unconfirmed} <= {
        PricePoint(at, price, unconfirmed) for at, price, unconfirmed, _ in records
    }


def trading_days(closes: Mapping[int, float], *, hours: tuple[float, float] = SESSION) -> list[StoredPoint]:
    """Return records every half hour that move by 1 % within each session and end at its close.

    Args:
        closes: Day → the last price of its session.
        hours: Begin and end of a session in seconds since midnight in UTC.
    """
    begin, end = hours
    times = [begin + 1_800 * number for number in range(int((end - begin) // 1_800) + 1)]
    return [
        StoredPoint(day * DAY_SECONDS + at, close * (1 - 0.01 * (end - at) / (end - begin)), False, False)
        for day, close in closes.items()
        for at in times
    ]


def daily_bars(closes: Mapping[int, float]) -> Bars:
    """Return bars whose range is 2 % below and 1 % above the close."""
    days, close = array("i", closes), array("d", closes.values())
    low, high = (array("d", (factor * price for price in close)) for factor in (0.98, 1.01))
    return Bars("AAPL", "yahoo", days, low, high, low, close, array("d", [1e6] * len(days)))


def read(
    records: Sequence[StoredPoint], bars: Bars | None, *, has_scale: bool = True
) -> tuple[list[float], list[float]]:
    """Return the last price of each day, and the factors of the scale changes."""
    history = build_history("AAPL", records, bars, has_scale=has_scale, start=0, end=math.inf)
    last = {point.at // DAY_SECONDS: point.price for point in history.points}
    return [round(price, 6) for price in last.values()], [round(change.factor, 6) for change in history.scale_changes]


WEEK = {MONDAY - 4: 120.0, MONDAY - 3: 123.0, MONDAY: 126.0}


@pytest.mark.parametrize("ratio", [1.2, 1.25, 1.5, 2, 3, 4, 7, 10, 20, 50, 100, 0.5, 0.2, 0.1, 0.04, 0.01])
@pytest.mark.parametrize("move", [0.9, 1.0, 1.08])
@pytest.mark.parametrize("noise", [0.995, 1.0, 1.006])
def test_history_over_a_split_has_no_jump(ratio: float, move: float, noise: float):
    """H4: the prices before a split are divided by its exact ratio, also if the market moved on that day."""
    before = {MONDAY - 4: 120.0 * ratio, MONDAY - 3: 123.0 * ratio * noise}
    records = trading_days(before | {MONDAY: 123.0 * move, MONDAY + 1: 123.0 * move})
    bars = daily_bars({MONDAY - 4: 120.0, MONDAY - 3: 123.0})
    prices, factors = read(records, bars)
    assert factors == [pytest.approx(ratio, rel=0.004)]
    assert prices[0] == pytest.approx(120.0, rel=0.004)
    after = daily_bars({MONDAY - 4: 120.0, MONDAY - 3: 123.0, MONDAY: 123.0 * move, MONDAY + 1: 123.0 * move})
    assert read(records, after) == (prices, factors)


@pytest.mark.parametrize("ratio", [1.1, 0.9, 1.05])
def test_history_over_a_small_split_is_scaled_from_the_smallest_ratio_on(ratio: float):
    """H4: a factor below 1.1 cannot be distinguished from a last price that differs from the close."""
    records = trading_days({MONDAY - 4: 120.0 * ratio, MONDAY - 3: 123.0 * ratio, MONDAY: 123.0})
    bars = daily_bars({MONDAY - 4: 120.0, MONDAY - 3: 123.0})
    assert read(records, bars)[1] == ([] if ratio == 1.05 else [pytest.approx(ratio, rel=0.01)])


@pytest.mark.parametrize("move", [0.25, 0.5, 2 / 3, 0.85, 1.5, 2.0, 4.0])
@pytest.mark.parametrize("is_stored", [False, True])
def test_history_over_a_crash_keeps_its_jump(move: float, is_stored: bool):
    """H5: a fall of a third looks like a split of 3:2, but the bars before it have the prices of their days."""
    closes = {MONDAY - 4: 120.0, MONDAY - 3: 123.0, MONDAY: 123.0 * move}
    bars = daily_bars({day: close for day, close in closes.items() if is_stored or day < MONDAY})
    assert read(trading_days(closes), bars) == ([120.0, 123.0, round(123.0 * move, 6)], [])


@pytest.mark.parametrize("move", [0.5, 2 / 3, 1.5])
def test_history_without_bars_keeps_its_jumps(move: float):
    """H5: without evidence, a jump is a move of the market."""
    closes = {MONDAY - 3: 123.0, MONDAY: 123.0 * move}
    for bars in (None, daily_bars({MONDAY - 900: 1.0})):
        assert read(trading_days(closes), bars) == ([123.0, round(123.0 * move, 6)], [])


def test_history_of_a_coin_keeps_its_jumps():
    """H4 and H6 do not apply to coins: one whose price really fell to a hundredth must not look stable."""
    closes = {MONDAY - 1: 100.0, MONDAY: 1.0}
    assert read(trading_days(closes), daily_bars({MONDAY - 1: 1.0}), has_scale=False) == ([100.0, 1.0], [])


def test_history_with_a_crash_after_a_split_scales_only_the_split():
    """H4: the step that the factor fits best is the split, and the other one stays."""
    records = trading_days({MONDAY - 4: 240.0, MONDAY - 3: 246.0, MONDAY: 123.0})
    afternoon = [point._replace(price=80.0) for point in records[-4:]]
    history = build_history(
        "AAPL",
        [*records[:-4], *afternoon],
        daily_bars({MONDAY - 4: 120.0, MONDAY - 3: 123.0}),
        has_scale=True,
        start=0,
        end=math.inf,
    )
    assert history.scale_changes == [ScaleChange(MONDAY * DAY_SECONDS + SESSION[0], 2.0)]
    assert history.points[-1].price == 80
    assert history.points[-5].price == pytest.approx(122.6, abs=0.5)


def test_history_over_two_splits_has_no_jump():
    """H4: each split divides all prices before it."""
    closes = {MONDAY - 5: 600.0, MONDAY - 4: 606.0, MONDAY - 3: 202.0, MONDAY: 204.0, MONDAY + 1: 51.0}
    bars = daily_bars({MONDAY - 5: 50.0, MONDAY - 4: 50.5, MONDAY - 3: 50.5, MONDAY: 51.0})
    assert read(trading_days(closes), bars) == ([50.0, 50.5, 50.5, 51.0, 51.0], [3.0, 4.0])


def test_history_of_an_exchange_whose_session_contains_midnight_has_no_jump():
    """H4: in Sydney in summer, a session begins at 23:00 UTC, so a split takes effect within a day in UTC."""
    days = trading_days({MONDAY - 3: 200.0, MONDAY - 2: 202.0, MONDAY - 1: 101.0}, hours=(-3_600.0, 5 * 3_600.0))
    bars = daily_bars({MONDAY - 3: 100.0, MONDAY - 2: 101.0})
    history = build_history("BHP.AX", days, bars, has_scale=True, start=0, end=math.inf)
    assert [change.factor for change in history.scale_changes] == [2.0]
    assert max(point.price for point in history.points) == pytest.approx(101.0)


def test_history_of_an_exchange_whose_session_contains_midnight_keeps_its_gaps():
    """H5: the last price of a day in UTC may belong to the session of the next day, so both bars count."""
    closes = {MONDAY + number: close for number, close in enumerate((100.0, 112.0, 125.0, 140.0, 123.0))}
    records = trading_days(closes, hours=(-3_600.0, 5 * 3_600.0))
    assert read(records, daily_bars(closes))[1] == []


def test_history_whose_days_are_off_by_different_factors_is_not_scaled():
    """H4: if no step explains why the days before a step disagree with their bars differently, nothing is certain."""
    days = {MONDAY - 4: 150.0, MONDAY - 3: 200.0, MONDAY: 100.0}
    rise = [StoredPoint((MONDAY - 3) * DAY_SECONDS + 40_000 + n, 150.0 + n, False, False) for n in range(49)]
    records = sorted([*trading_days(days), *rise])
    assert read(records, daily_bars({MONDAY - 4: 100.0, MONDAY - 3: 100.0}))[1] == []


@pytest.mark.parametrize("wrong", [0.6, 1.7, 10.0])
def test_history_with_a_wrong_price_at_the_end_of_a_day_is_not_scaled(wrong: float):
    """H5: the bars of the day before contradict a split, so one wrong price cannot move all earlier ones."""
    records = trading_days(WEEK)
    end = next(number for number, point in enumerate(records) if point.at // DAY_SECONDS == MONDAY) - 1
    records[end] = records[end]._replace(price=123.0 * wrong)
    _, factors = read(records, daily_bars({MONDAY - 4: 120.0, MONDAY - 3: 123.0}))
    assert factors == []


@pytest.mark.parametrize("unit", [100.0, 1_000.0])
@pytest.mark.parametrize("has_bars", [False, True])
def test_history_after_the_correction_of_a_unit_has_no_jump(unit: float, has_bars: bool):
    """H6: prices in pence before a correction are shown in pounds."""
    morning = [StoredPoint(MONDAY * DAY_SECONDS + 60.0 * n, 84.0, False, False) for n in range(3)]
    later = [point._replace(at=point.at + 3_600, price=0.85 * 100 / unit) for point in morning]
    bars = daily_bars({MONDAY - 3: 0.84 * 100 / unit}) if has_bars else None
    history = build_history("VOD.L", [*morning, *later], bars, has_scale=True, start=0, end=math.inf)
    assert [point.price for point in history.points] == pytest.approx([84 / unit] * 3 + [85 / unit] * 3)
    assert [change.factor for change in history.scale_changes] == [unit]


@pytest.mark.parametrize("has_bars", [False, True])
def test_history_with_a_period_in_a_wrong_unit_keeps_the_prices_before_it(has_bars: bool):
    """H6: prices in a wrong unit that were stored as good for a while leave neither a spike nor a hole."""
    closes = {MONDAY - 4: 1.2, MONDAY - 3: 123.0, MONDAY: 1.24}
    bars = daily_bars({MONDAY - 4: 1.2, MONDAY - 3: 1.23}) if has_bars else None
    prices, factors = read(trading_days(closes), bars)
    assert prices == [1.2, 1.23, 1.24]
    assert factors == [0.01, 100.0]


def test_history_of_a_price_that_jumps_all_the_time_is_not_searched_for_splits():
    """The work is bounded: a price that alternates between two price steps for a month is read as it was stored."""
    records = [StoredPoint(MONDAY * DAY_SECONDS + 120.0 * n, 0.0001 * (1 + n % 2), False, False) for n in range(21_600)]
    bars = daily_bars({MONDAY + number: 1.0 for number in range(31)})
    history = build_history("PENNY", records, bars, has_scale=True, start=0, end=math.inf)
    assert [point.price for point in history.points] == [record.price for record in records]


@given(st.lists(st.floats(50, 200), min_size=1, max_size=30), st.floats(1.2, 50), st.integers(0, 29))
def test_history_never_changes_prices_that_the_bars_contain(prices: list[float], factor: float, split: int):
    """H5: if the bars of every day contain its prices, nothing is scaled, however wild the prices are."""
    days = {MONDAY + number: price * (factor if number >= split else 1) for number, price in enumerate(prices)}
    history, factors = read(trading_days(days), daily_bars(days))
    assert factors == []
    assert history == [round(price, 6) for price in days.values()]


@given(st.lists(st.floats(90, 110), min_size=5, max_size=12), st.floats(1.3, 60), st.booleans())
def test_history_over_any_split_is_continuous(prices: list[float], ratio: float, is_reverse: bool):
    """H4: whatever the ratio is, the scaled prices differ from the bars by less than their own noise."""
    ratio = 1 / ratio if is_reverse else ratio
    split = MONDAY + len(prices) // 2
    days = {MONDAY + number: price for number, price in enumerate(prices)}
    before = {day: price * (ratio if day < split else 1) for day, price in days.items()}
    shown, _ = read(trading_days(before), daily_bars(days))
    assert shown == [pytest.approx(price, rel=0.021) for price in days.values()]
