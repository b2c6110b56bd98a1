"""Tests of the values of single bars: prices, days, volumes and ranges (N12)."""

import json
import math
from array import array
from dataclasses import replace
from functools import reduce

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from financehub_shared.core.days import weekday
from financehub_shared.core.models import Asset, BarAnswer, Bars
from financehub_shared.market.encoding.series import merge_bars
from financehub_shared.market.quality.bars import check_history, check_increment
from support.bar_histories import (
    COIN,
    DAY,
    FIRST_DAY,
    STOCK,
    Cells,
    bars,
    quote_of,
    read_history,
    reasons,
    traded,
    walk,
)

TRUE = walk(60)
ROW = (10.0, 10.1, 9.9, 10.0)


@pytest.mark.parametrize("bad", [0.0, -5.0, math.nan, math.inf, -math.inf, 1e308, 1e-300])
@pytest.mark.parametrize("cell", range(4))
def test_bar_with_an_impossible_price_is_left_out(bad: float, cell: int):
    """A day with an impossible price is left out and recorded with its raw values, and the other days are kept."""
    row = list(ROW)
    row[cell] = bad
    delivered = bars([ROW, ROW, (row[0], row[1], row[2], row[3]), ROW, ROW])
    checked = read_history(delivered)
    assert list(checked.bars.days) == [*delivered.days[:2], *delivered.days[3:]]
    (record,) = checked.records
    assert (record.kind, record.reason_class, record.provider) == ("bar", "price", "yahoo")
    assert json.loads(record.payload)["bars"] == 1


@pytest.mark.parametrize("volume", [-1.0, math.nan, math.inf])
def test_bar_with_an_impossible_volume_keeps_its_prices(volume: float):
    """An impossible volume becomes zero."""
    checked = read_history(bars([ROW] * 3, volume=[100.0, volume, 100.0]))
    assert list(checked.bars.volume) == [100.0, 0.0, 100.0]
    assert [record.reason for record in checked.records] == [f"volume: {volume} set to 0, corrected"]


def test_bar_of_a_future_day_is_left_out():
    """A bar of a day that has not begun in any time zone is left out."""
    delivered = bars([ROW] * 5)
    now = (delivered.days[2] + 0.5) * DAY
    checked = check_history(COIN, BarAnswer(delivered), None, None, now)
    assert list(checked.bars.days) == [day for day in delivered.days if day <= delivered.days[2] + 1]
    assert reasons(checked) == ["future"]


# --- weekends ---------------------------------------------------------------------------------------


def on_days(days: list[int], volume: float = 100.0) -> Bars:
    """Return bars of these days."""
    made = bars(walk(len(days)), volume=volume)
    return replace(made, days=array("i", days))


def week_of(*names: int, weeks: int = 6) -> list[int]:
    """Return the days of several weeks that are these days of the week. Monday is 0."""
    return [day for day in range(FIRST_DAY, FIRST_DAY + 7 * weeks) if weekday(day) in names]


@pytest.mark.parametrize(
    ("extra", "volume", "is_kept"),
    [(5, 0.0, False), (6, 0.0, False), (5, 100.0, True), (6, 100.0, True)],
    ids=["Saturday without trading", "Sunday without trading", "special Saturday", "special Sunday"],
)
def test_bar_of_a_weekend_is_kept_if_it_was_traded(extra: int, volume: float, is_kept: bool):
    """A stock has no bars on weekends, except for the special sessions of some exchanges, such as India's."""
    days = sorted([*week_of(0, 1, 2, 3, 4), week_of(extra)[1]])
    delivered = on_days(days, volume=volume)
    checked = read_history(delivered)
    assert (week_of(extra)[1] in checked.bars.days) is is_kept
    assert reasons(checked) == ([] if is_kept else ["weekend"])


def test_bar_that_is_dated_a_day_early_is_left_out():
    """D8: a bar that is dated Sunday in place of Monday has a wrong date."""
    days = week_of(0, 1, 2, 3, 4)
    monday = week_of(0)[2]
    checked = read_history(on_days([day - 1 if day == monday else day for day in days]))
    assert list(checked.bars.days) == [day for day in days if day != monday]


@pytest.mark.parametrize("volume", [0.0, 70.0])
@pytest.mark.parametrize(("copied", "days"), [(4, 1), (0, -1)], ids=["Friday", "Monday"])
@pytest.mark.parametrize("count", [1, 6])
def test_weekend_bar_that_repeats_its_neighbor_is_left_out(copied: int, days: int, count: int, volume: float):
    """D8: one bar under two dates is not a session of the weekend, however often that happens."""
    right = on_days(week_of(0, 1, 2, 3, 4, weeks=7), volume=70.0)
    copies = [day for day in right.days if weekday(day) == copied][1 : count + 1]
    moved = [part_of(right, day, day + days, volume) for day in copies]
    checked = read_history(reduce(merge_bars, moved, right))
    assert checked.bars == right
    assert reasons(checked) == ["weekend"]


@pytest.mark.parametrize("volume", [0.0, 70.0])
def test_flat_bar_of_a_trading_weekend_stays_if_the_next_day_has_the_same_price(volume: float):
    """A share that is rarely traded can have the same single price on Sunday and Monday."""
    days = week_of(6, 0, 1, 2, 3, weeks=7)
    delivered = replace(bars([(10.0, 10.0, 10.0, 10.0)] * len(days), volume=volume), days=array("i", days))
    assert read_history(delivered).bars == delivered


def part_of(delivered: Bars, day: int, new_day: int, volume: float) -> Bars:
    """Return the bar of a day under another date and with another volume."""
    place = delivered.days.index(day)
    cells = {name: getattr(delivered, name)[place : place + 1] for name in ("open", "high", "low", "close")}
    return replace(delivered, days=array("i", [new_day]), **cells, volume=array("d", [volume]))


@pytest.mark.parametrize("names", [(6, 0, 1, 2, 3), (0, 1, 2, 3, 4)], ids=["Riyadh", "London"])
def test_bars_of_the_trading_week_are_kept(names: tuple[int, ...]):
    """Exchanges in the Middle East trade from Sunday to Thursday."""
    delivered = on_days(week_of(*names))
    assert not read_history(delivered).records


def test_bars_of_a_coin_are_kept_on_every_day():
    """Coins trade on weekends."""
    delivered = on_days(week_of(0, 1, 2, 3, 4, 5, 6))
    assert read_history(delivered, asset=COIN).bars is delivered


# --- ranges -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("asset", [STOCK, COIN], ids=["stock", "coin"])
@pytest.mark.parametrize(
    "row",
    [(10, 10.1, 9.9, 10.605), (10, 10.1, 9.9, 9.4), (10.7, 10.1, 9.9, 10), (9.3, 10.1, 9.9, 10), (10, 9.5, 10.5, 10)],
    ids=["close above", "close below", "open above", "open below", "high and low swapped"],
)
def test_bar_with_a_price_far_outside_its_range_is_left_out(asset: Asset, row: tuple[float, float, float, float]):
    """N12: if the open or close is 5 % outside the range, one of the prices is wrong, so the bar is left out."""
    checked = read_history(bars([ROW, ROW, row, ROW]), asset=asset)
    assert list(checked.bars.close) == [10.0, 10.0, 10.0]
    assert [record.reason for record in checked.records] == [
        "range: the open or close is more than 2 % outside the range"
    ]


@pytest.mark.parametrize("row", [(10, 10.1, 9.9, 10.15), (10, 10.1, 9.9, 9.85), (10.2, 10.1, 9.9, 10)])
def test_bar_with_an_auction_outside_its_range_gets_a_wider_range(row: tuple[float, float, float, float]):
    """N12: some exchanges report ranges without the prices of auctions. The range is extended to them, with a note."""
    checked = read_history(bars([ROW, row, ROW]))
    assert (checked.bars.high[1], checked.bars.low[1]) == (max(row), min(row))
    assert (checked.bars.open[1], checked.bars.close[1]) == (row[0], row[3])
    assert reasons(checked) == ["range"]


def test_bar_with_a_rounding_error_gets_a_wider_range_without_a_note():
    """N12: a difference of one bit is corrected silently, because the invariant is exact."""
    close = math.nextafter(10.1, 11)
    checked = read_history(bars([ROW, (10.0, 10.1, 9.9, close), ROW]))
    assert checked.bars.high[1] == close
    assert checked.records == []


@pytest.mark.parametrize("cell", [1, 2])
@pytest.mark.parametrize(("factor", "volume", "is_kept"), [(10, 100, False), (10, 400, True), (3, 100, True)])
def test_high_or_low_that_nobody_traded_is_left_out(cell: int, factor: float, volume: float, is_kept: bool):
    """N12, D3: yfinance repairs single columns, too. A flash crash has a multiple of the usual volume."""
    cells = traded(TRUE)
    row = list(cells[30])  # type: ignore[arg-type]
    row[cell] *= factor if cell == 1 else 1 / factor
    cells[30] = (row[0], row[1], row[2], row[3])
    delivered = bars(cells, volume=[float(volume) if place == 30 else 100.0 for place in range(len(TRUE))])
    assert (read_history(delivered, price=TRUE[-1]).bars == delivered) is is_kept
    assert read_history(delivered, price=TRUE[-1], asset=COIN).bars == delivered


def test_high_of_a_share_at_the_lowest_price_steps_is_kept():
    """A few price steps of a share that costs a fraction of a cent are a large factor."""
    cells: list[Cells] = [(0.001, 0.001, 0.001, 0.001)] * 60
    cells[30] = (0.001, 0.005, 0.001, 0.001)
    delivered = bars(cells)
    assert read_history(delivered).bars == delivered


def test_bar_of_a_stock_with_a_wide_range_is_left_out():
    """A day whose high and low differ by a factor of twenty is left out. Coins can have such days in a collapse."""
    row = (10.0, 10.1, 0.3, 10.0)
    assert len(read_history(bars([ROW, ROW, row, ROW])).bars) == 3
    assert len(read_history(bars([ROW, ROW, row, ROW]), asset=COIN).bars) == 4


@pytest.mark.parametrize("wrong", [(3,), (2, 3), (0,), (1,), (0, 1, 2)])
@pytest.mark.parametrize("factor", [100.0, 0.01])
def test_single_prices_in_the_wrong_unit_are_corrected(wrong: tuple[int, ...], factor: float):
    """D1: single prices of one or several days that are off by ×100 are corrected by comparison with adjacent bars."""
    cells = traded(TRUE)
    damaged: list[Cells] = [
        row if place not in {20, 21, 22} else tuple(p * factor if n in wrong else p for n, p in enumerate(row))  # type: ignore[arg-type, misc]
        for place, row in enumerate(cells)
    ]
    checked = read_history(bars(damaged))
    assert list(checked.bars.close) == pytest.approx(TRUE)
    assert reasons(checked) == ["unit"]


def test_single_prices_in_the_wrong_unit_near_a_split_are_left_out():
    """D2: near an announced split, a day with a price that is off by ×100 is left out."""
    cells = traded(TRUE)
    open, high, low, close = cells[30]  # type: ignore[misc]
    cells[30] = (open, high, low / 100, close / 100)
    delivered = bars(cells)
    checked = read_history(delivered, {delivered.days[32]: 0.01})
    assert list(checked.bars.days) == [day for day in delivered.days if day != delivered.days[30]]


# --- all of it --------------------------------------------------------------------------------------

PRICES = st.one_of(st.floats(), st.floats(0.5, 2), st.floats(50, 200), st.just(1.0))


@settings(max_examples=150)
@given(
    st.lists(st.tuples(PRICES, PRICES, PRICES, PRICES), max_size=12),
    st.lists(st.floats(), min_size=12, max_size=12),
    st.lists(st.floats(0.5, 200), max_size=6),
    st.dictionaries(st.integers(FIRST_DAY, FIRST_DAY + 20), st.floats(0.001, 1_000), max_size=2),
    st.none() | st.floats(0.5, 200),
    st.sampled_from([STOCK, COIN]),
    st.booleans(),
)
def test_any_answer_is_stored_as_valid_bars(
    rows: list[tuple[float, float, float, float]],
    volumes: list[float],
    known: list[float],
    splits: dict[int, float],
    price: float | None,
    asset: Asset,
    is_full: bool,
):
    """N12: for any answer, the check does not raise, days ascend, and low ≤ open, close ≤ high holds exactly."""
    delivered = bars(rows, volume=volumes[: len(rows)])
    stored = bars(known) if known else None
    now = (FIRST_DAY + 30) * DAY
    quote = None if price is None else quote_of(price, now, currency=asset.currency)
    answer = BarAnswer(delivered, splits)
    if is_full or stored is None:
        checked = check_history(asset, answer, stored, quote, now)
    else:
        checked = check_increment(asset, answer, stored, quote, now)
    kept = checked.bars
    assert list(kept.days) == sorted(set(kept.days))
    for open, high, low, close in zip(kept.open, kept.high, kept.low, kept.close, strict=True):
        assert 0 < low <= min(open, close) <= max(open, close) <= high < math.inf
    assert all(0 <= volume < math.inf for volume in kept.volume)
    assert all(len(record.payload) <= 2_000 for record in checked.records)
