"""Tests of splits for which an upstream adjusts too late, too early, twice, only in part, or not at all (D2, D3)."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from financehub_shared.core.models import Bars
from support.bar_histories import Cells, bars, read_history, read_increment, reasons, recorded_history, walk

COUNT, AT = 70, 55
#: Ratios of real splits and reverse splits, and stock dividends.
LARGE = (4, 9, 35, 60, 80, 100, 150, 190, 250, 1_000)
SMALL = (1.05, 1.1, 1.25, 1.5, 2, 3)
RATIOS = [ratio for each in (*SMALL, *LARGE) for ratio in (float(each), 1 / each)]
LARGE_RATIOS = [ratio for each in LARGE for ratio in (float(each), 1 / each)]
TRUE = walk(COUNT)


def true_closes(move: float) -> list[float]:
    """Return the right closes, which change by this factor on the day of the split."""
    return [*TRUE[:AT], *(close * move for close in TRUE[AT:])]


def scaled(closes: list[float], factor: float, start: int, end: int) -> Bars:
    """Return bars that are in another scale from index `start` to `end`, with volumes in that scale."""
    is_scaled = [start <= place < end for place in range(len(closes))]
    return bars(
        [close * factor if is_wrong else close for close, is_wrong in zip(closes, is_scaled, strict=True)],
        volume=[100 / factor if is_wrong else 100.0 for is_wrong in is_scaled],
    )


#: Name → (power of the ratio by which some bars are too high, first of these bars, bar after the last one).
WRONG = {
    "missing": (1, 0, AT),
    "missing, applied a day late": (1, 0, AT + 1),
    "missing, applied three days early": (1, 0, AT - 3),
    "applied twice": (-1, 0, AT),
    "applied a day too early": (1, AT - 1, AT),
    "applied a day too late": (-1, AT, AT + 1),
    "applied twice to a middle section": (-1, 25, 38),
    "missing in a middle section": (1, 25, 38),
    "applied twice at the beginning": (-1, 0, 13),
    "missing at the beginning": (1, 0, 13),
    "missing in a single bar": (1, 30, 31),
}


@pytest.mark.parametrize("move", [1.0, 0.7, 1.3], ids=["quiet", "-30 %", "+30 %"])
def test_history_that_is_adjusted_stays_as_delivered(move: float):
    """D2: an announced split of any ratio does not change bars that are right, even if the price moved that day."""
    closes = true_closes(move)
    cells: list[Cells] = [(close, close * 1.01, close * 0.99, close) for close in closes]
    # The bar passes through the prices in between, which shows that the move is real.
    cells[AT] = (closes[AT - 1], closes[AT - 1] * 1.35, closes[AT - 1] * 0.65, closes[AT])
    delivered = bars(cells)
    for ratio in RATIOS:
        for price in (None, closes[-1]):
            checked = read_history(delivered, {delivered.days[AT]: ratio}, price=price)
            assert (list(checked.records), list(checked.bars.close)) == ([], closes), ratio


@pytest.mark.parametrize("move", [1.0, 0.7], ids=["quiet", "-30 %"])
@pytest.mark.parametrize("name", WRONG)
def test_history_with_a_large_split_in_the_wrong_scale_is_corrected(name: str, move: float):
    """D2, D3: every wrong adjustment for a split from 4:1 on is found, even if the price fell by 30 % that day."""
    power, start, end = WRONG[name]
    closes = true_closes(move)
    for ratio in LARGE_RATIOS:
        delivered = scaled(closes, ratio**power, start, end)
        checked = read_history(delivered, {delivered.days[AT]: ratio})
        assert list(checked.bars.close) == pytest.approx(closes), ratio
        assert list(checked.bars.volume) == pytest.approx([100.0] * COUNT), ratio
        assert reasons(checked) == ["split"], ratio


@pytest.mark.parametrize("name", [name for name in WRONG if name != "missing at the beginning"])
@pytest.mark.parametrize("ratio", [2.0, 3.0, 0.5, 1 / 3])
def test_history_with_a_small_split_in_the_wrong_scale_is_corrected(ratio: float, name: str):
    """D3: wrong adjustments for a split of 2:1 or 3:1 are found on a day without an unusual volume."""
    power, start, end = WRONG[name]
    delivered = scaled(TRUE, ratio**power, start, end)
    checked = read_history(delivered, {delivered.days[AT]: ratio})
    assert list(checked.bars.close) == pytest.approx(TRUE)


@pytest.mark.parametrize("ratio", [10.0, 0.1, 150.0, 1 / 150])
def test_history_is_corrected_although_the_ratio_is_announced_upside_down(ratio: float):
    """D3: older bars get the scale of the newest bars, whether 10:1 or 1:10 is announced."""
    delivered = scaled(TRUE, ratio, 0, AT)
    checked = read_history(delivered, {delivered.days[AT]: 1 / ratio})
    assert list(checked.bars.close) == pytest.approx(TRUE)


def test_history_with_an_adjusted_split_that_is_announced_upside_down_stays():
    """D3: a ratio that is announced upside down does not change bars that are right."""
    delivered = bars(TRUE)
    assert read_history(delivered, {delivered.days[AT]: 0.1}).bars == delivered


@pytest.mark.parametrize("days", [(20, 55), (51, 55)], ids=["apart", "in one week"])
def test_history_with_two_missing_splits_is_corrected(days: tuple[int, int]):
    """D3: if the adjustments for two splits are missing, both are applied, the newest first."""
    first, second = days
    closes = [close * (30 if place < first else 10 if place < second else 1) for place, close in enumerate(TRUE)]
    delivered = bars(closes)
    checked = read_history(delivered, {delivered.days[first]: 3.0, delivered.days[second]: 10.0})
    assert list(checked.bars.close) == pytest.approx(TRUE)


def test_history_whose_newest_bar_alone_is_wrong_keeps_the_others():
    """D3: if only the newest bar is wrong after a split, the older bars are not rescaled; the current price decides."""
    delivered = scaled(TRUE, 0.1, COUNT - 1, COUNT)
    splits = {delivered.days[AT]: 10.0}
    without = read_history(delivered, splits)
    assert list(without.bars.close) == pytest.approx(TRUE[:-1])
    assert list(read_history(delivered, splits, price=TRUE[-1]).bars.close) == pytest.approx(TRUE)


@pytest.mark.parametrize("power", [1, -1], ids=["missing", "applied twice"])
def test_real_fall_after_a_section_in_the_wrong_scale_stays(power: int):
    """D3: the two edges belong to one section, so neither confirms that a fall by 30 % is an edge, too."""
    closes = true_closes(0.7)
    delivered = scaled(closes, 1.5**power, 20, 35)
    checked = read_history(delivered, {delivered.days[AT]: 1.5}, price=closes[-1])
    assert list(checked.bars.close) == pytest.approx(closes)


def test_real_crash_in_a_history_with_a_split_stays():
    """D2: a fall by half with a spike of the volume is not a missing adjustment, although a 2:1 split is announced."""
    closes = [*TRUE[:30], *(close * 0.5 for close in TRUE[30:])]
    volume = [100.0] * COUNT
    volume[30] = 900.0
    delivered = bars(closes, volume=volume)
    assert list(read_history(delivered, {delivered.days[AT]: 2.0}).records) == []


@pytest.mark.parametrize("ratio", [4.0, 100.0, 0.01, 1 / 150])
def test_increment_with_a_new_split_reads_the_whole_history(ratio: float):
    """D2: a split since the last fetch leads to a full read, whether the older bars are adjusted or not."""
    stored = bars([close * ratio for close in TRUE[:AT]])
    for factor in (ratio, 1.0):
        closes = [*(close * factor for close in TRUE[AT - 8 : AT]), TRUE[AT] * 0.7]
        delivered = bars(closes, stored.days[AT - 8])
        checked = read_increment(delivered, stored, {delivered.days[-1]: ratio})
        assert checked.doubt
        full = bars([*(close * factor for close in TRUE[:AT]), TRUE[AT] * 0.7])
        read = read_history(full, {delivered.days[-1]: ratio}, stored=stored)
        assert list(read.bars.close) == pytest.approx([*TRUE[:AT], TRUE[AT] * 0.7])


@pytest.mark.real_data
@pytest.mark.parametrize(
    "name", ["4063-T-1d-bad-stock-split", "DEX-AX-1d-bad-stock-split", "MOB-ST-1d-bad-stock-split"]
)
def test_recorded_history_with_a_wrong_split_is_corrected(real_answers: Path, name: str):
    """D3: recorded histories get the recorded right prices if old bars, eight days or one bar lack the adjustment."""
    delivered, splits = recorded_history(real_answers, name)
    fixed, _ = recorded_history(real_answers, f"{name}-fixed")
    checked = read_history(delivered, splits)
    for column in ("open", "high", "low", "close", "volume"):
        assert list(getattr(checked.bars, column)) == pytest.approx(list(getattr(fixed, column)), rel=2e-5), column
    assert [record.reason.split(" was ")[1] for record in checked.records] == ["missing, corrected"]


@pytest.mark.real_data
@pytest.mark.parametrize("damage", ["a day later", "a day earlier", "twice", "a middle section", "the beginning"])
@pytest.mark.parametrize("name", ["4063-T-1d-bad-stock-split", "MOB-ST-1d-bad-stock-split"])
def test_recorded_history_with_another_wrong_adjustment_is_corrected(real_answers: Path, name: str, damage: str):
    """D3: the right recorded histories are restored after each kind of wrong adjustment."""
    fixed, splits = recorded_history(real_answers, f"{name}-fixed")
    ((day, ratio),) = splits.items()
    at = list(fixed.days).index(day)
    start, end, factor = {
        "a day later": (at, at + 1, 1 / ratio),
        "a day earlier": (at - 1, at, ratio),
        "twice": (0, at, 1 / ratio),
        "a middle section": (3, 6, ratio),
        "the beginning": (0, 3, ratio),
    }[damage]
    rows = zip(fixed.open, fixed.high, fixed.low, fixed.close, strict=True)
    cells: list[Cells] = [
        (open * factor, high * factor, low * factor, close * factor)
        if start <= place < end
        else (open, high, low, close)
        for place, (open, high, low, close) in enumerate(rows)
    ]
    delivered = bars(cells, volume=fixed.volume)
    days = dict(zip(fixed.days, delivered.days, strict=True))
    checked = read_history(delivered, {days[day]: ratio})
    assert list(checked.bars.close) == pytest.approx(list(fixed.close), rel=1e-5)


@settings(max_examples=30)
@given(
    st.lists(st.floats(-0.05, 0.05), min_size=30, max_size=60),
    st.floats(4, 400),
    st.booleans(),
    st.integers(5, 25),
)
def test_history_with_any_large_ratio_is_corrected(moves: list[float], ratio: float, is_reverse: bool, at: int):
    """D2, D3: for any ratio from 4:1 on, a missing adjustment is found, and a right adjustment is not changed."""
    ratio = 1 / ratio if is_reverse else ratio
    closes = [10.0]
    for move in moves:
        closes.append(closes[-1] * (1 + move))
    right = bars(closes)
    splits = {right.days[at]: ratio}
    assert read_history(right, splits).bars == right
    wrong = bars([close * ratio if place < at else close for place, close in enumerate(closes)])
    assert list(read_history(wrong, splits).bars.close) == pytest.approx(closes)
