"""Tests of bar validation with real histories, both with and without errors."""

import csv
import json
import math
from array import array
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from financehub_shared.core.kinds import AssetType
from financehub_shared.core.models import Asset, Bars
from financehub_shared.market.quality.bars import CheckedBars, validate_bars
from financehub_shared.providers.yahoo.splits import apply_missing_splits
from support.real_bars import part, real_bars

NOW = datetime(2025, 1, 1, tzinfo=UTC).timestamp()
STOCK = Asset("X.L", AssetType.STOCK, currency="GBP")
COIN = Asset("X-USD", AssetType.CRYPTO)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC).toordinal()


def bars_of(rows: list[tuple[float, ...]], first_day: int = 19_000) -> Bars:
    """Return bars of consecutive days from (open, high, low, close) rows."""
    open, high, low, close = (array("d", (row[cell] for row in rows)) for cell in range(4))
    days = array("i", range(first_day, first_day + len(rows)))
    return Bars("X", "yahoo", days, open, high, low, close, array("d", [100.0] * len(rows)))


def flat(*closes: float, first_day: int = 19_000) -> Bars:
    """Return bars with the given closes and a narrow range."""
    return bars_of([(close, close * 1.01, close * 0.99, close) for close in closes], first_day)


def check(bars: Bars, asset: Asset = STOCK, previous: Bars | None = None, anchor: float | None = None) -> CheckedBars:
    """Validate bars at `NOW`."""
    return validate_bars(asset, bars, previous, anchor, NOW)


@pytest.fixture(scope="session")
def history(real_answers: Path) -> Callable[[str], tuple[Bars, dict[int, float]]]:
    """Return a function that reads bars and splits from a recorded CSV by name. Hourly bars get one day per hour."""

    def read(name: str) -> tuple[Bars, dict[int, float]]:
        with (real_answers / "prices-with-errors" / f"{name}.csv").open(encoding="utf-8") as lines:
            rows = list(csv.DictReader(lines))
        rows.sort(key=lambda row: row.get("Date") or row["Datetime"])
        days = [datetime.fromisoformat(row.get("Date") or row["Datetime"]).toordinal() - EPOCH for row in rows]
        if len(set(days)) < len(days):
            days = list(range(19_000, 19_000 + len(days)))
        columns = [
            array("d", (float(row[cell]) for row in rows)) for cell in ("Open", "High", "Low", "Close", "Volume")
        ]
        splits = {day: float(row["Stock Splits"]) for day, row in zip(days, rows, strict=True)}
        open, high, low, close, volume = columns
        bars = Bars(name, "yahoo", array("i", days), open, high, low, close, volume)
        return bars, {day: ratio for day, ratio in splits.items() if ratio}

    return read


def assert_equal_prices(bars: Bars, fixed: Bars) -> None:
    """Assert that both histories have the same days and, within 1e-5, the same prices."""
    assert list(bars.days) == list(fixed.days)
    for name in ("open", "high", "low", "close"):
        assert list(getattr(bars, name)) == pytest.approx(list(getattr(fixed, name)), rel=1e-5), name


@pytest.mark.real_data
@pytest.mark.parametrize(
    ("name", "anchor", "reasons"),
    [
        # The quote decides which of the two levels is right: 14.55 pence and 33.62 rand.
        ("AET-L-1d-100x-error", 14.5, ["unit: ÷100 against the last quote, corrected"]),
        ("SSW-JO-1d-100x-error", 33.6, ["unit: ×100 against the last quote, corrected"]),
        ("ASAI-L-1h-bad-unit", None, ["unit: low, close off by 100, corrected"]),
        ("EWG-1d-no-errors", None, []),
    ],
)
def test_validate_bars_of_real_histories_corrects_unit_errors(
    history: Callable[..., tuple[Bars, dict[int, float]]], name: str, anchor: float | None, reasons: list[str]
):
    """Days and values that are off by a factor of 100 are converted to the others' unit. Correct bars do not change."""
    bars, _ = history(name)
    checked = check(bars, anchor=anchor)
    assert [record.reason for record in checked.records] == reasons
    if not reasons:
        assert checked.bars is bars
        return
    fixed, _ = history(f"{name}-fixed")
    assert_equal_prices(checked.bars, fixed)
    unchanged = [
        position for position, close in enumerate(bars.close) if close == pytest.approx(fixed.close[position], rel=1e-6)
    ]
    assert [checked.bars.close[position] for position in unchanged] == [bars.close[position] for position in unchanged]
    assert json.loads(checked.records[0].payload)["bars"] == len(bars) - len(unchanged)


@pytest.mark.real_data
@pytest.mark.parametrize(
    "name",
    [
        "AET-L-1d-100x-error-fixed",
        "SSW-JO-1d-100x-error-fixed",
        "ASAI-L-1h-bad-unit-fixed",
        "4063-T-1d-bad-stock-split-fixed",
        "DEX-AX-1d-bad-stock-split-fixed",
        "MOB-ST-1d-bad-stock-split-fixed",
    ],
)
def test_validate_bars_of_correct_histories_changes_nothing(
    history: Callable[..., tuple[Bars, dict[int, float]]], name: str
):
    """Correct histories are returned unchanged."""
    bars, splits = history(name)
    assert check(bars).bars is bars
    assert apply_missing_splits(bars, splits) == (bars, [])


@pytest.mark.real_data
def test_validate_bars_without_a_quote_uses_the_level_of_most_days(
    history: Callable[..., tuple[Bars, dict[int, float]]],
):
    """Without a quote, the rarer unit is converted to the more frequent one, so that only one level remains."""
    bars, _ = history("SSW-JO-1d-100x-error")
    checked = check(bars)
    assert [record.reason for record in checked.records] == ["unit: ÷100 against the other days, corrected"]
    assert min(checked.bars.low) > 3_000


@pytest.mark.real_data
@pytest.mark.parametrize("name", ["4063-T-1d-bad-stock-split", "DEX-AX-1d-bad-stock-split"])
def test_apply_missing_splits_rescales_older_bars(history: Callable[..., tuple[Bars, dict[int, float]]], name: str):
    """A lasting jump by an announced split's ratio is that split, so older bars get the new scale."""
    bars, splits = history(name)
    corrected, applied = apply_missing_splits(bars, splits)
    fixed, _ = history(f"{name}-fixed")
    assert len(applied) == 1
    assert_equal_prices(corrected, fixed)
    assert check(corrected).bars is corrected


@pytest.mark.real_data
def test_validate_bars_quarantines_a_single_day_in_another_scale(history: Callable[..., tuple[Bars, dict[int, float]]]):
    """One day at a tenth of its neighbors is not a split. It is quarantined, and the other days are kept."""
    bars, splits = history("MOB-ST-1d-bad-stock-split")
    assert apply_missing_splits(bars, splits) == (bars, [])
    checked = check(bars)
    bad = list(bars.close).index(min(bars.close))
    assert [record.reason.split(":")[0] for record in checked.records] == ["jump"]
    assert list(checked.bars.close) == [close for position, close in enumerate(bars.close) if position != bad]


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")
@pytest.mark.parametrize("name", ["sp500", "nasdaq", "GOOG"])
@pytest.mark.parametrize("asset", [STOCK, COIN], ids=["stock", "crypto"])
def test_validate_bars_of_decades_of_real_bars_has_no_false_alarm(name: str, asset: Asset):
    """20 years of S&P 500 and NASDAQ and nine of Google, including 2008, cause no alarm, as a whole and day by day."""
    bars = real_bars(name)
    assert check(bars, asset).bars is bars
    alarms = 0
    for end in range(61, len(bars)):
        known, new = part(bars, end - 60, end), part(bars, end, end + 1)
        alarms += check(new, asset, previous=known, anchor=known.close[-1]).bars is not new
    assert alarms == 0


@pytest.mark.parametrize("bad", [0.0, -5.0, math.nan, math.inf, -math.inf, 1e308, 1e-300])
@pytest.mark.parametrize("cell", range(4))
def test_validate_bars_quarantines_days_with_impossible_prices(bad: float, cell: int):
    """A day with an impossible price is quarantined with its raw values, and the other days are kept."""
    row = [10.0, 10.1, 9.9, 10.0]
    rows = [tuple(row)] * 5
    row[cell] = bad
    checked = check(bars_of([*rows[:2], tuple(row), *rows[3:]]))
    assert list(checked.bars.days) == [19_000, 19_001, 19_003, 19_004]
    (record,) = checked.records
    assert (record.kind, record.reason.split(":")[0], record.provider) == ("bar", "price", "yahoo")
    assert json.loads(record.payload)["bars"] == 1


@pytest.mark.parametrize("volume", [-1.0, math.nan, math.inf])
def test_validate_bars_sets_an_impossible_volume_to_zero(volume: float):
    """An impossible volume is set to zero, and the day's prices are kept."""
    bars = flat(10, 10, 10)
    bars.volume[1] = volume
    checked = check(bars)
    assert list(checked.bars.volume) == [100.0, 0.0, 100.0]
    assert checked.records[0].reason == f"volume: {volume} set to 0, corrected"


def test_validate_bars_quarantines_future_days():
    """A bar of a day that has not started in any time zone is quarantined."""
    today = int(NOW // 86_400)
    checked = check(flat(10, 10, 10, 10, first_day=today - 1))
    assert list(checked.bars.days) == [today - 1, today, today + 1]
    assert checked.records[0].reason.startswith("future")


@pytest.mark.parametrize(
    ("asset", "closes", "anchor", "kept"),
    [
        (STOCK, [10, 10.2, 10, 3, 10, 10.1, 10], None, [10, 10.2, 10, 10, 10.1, 10]),
        (STOCK, [10, 10.2, 10, 30, 31, 10.1, 10], None, [10, 10.2, 10, 10.1, 10]),
        (STOCK, [10, 10.2, 10, 3, 3.1, 2.9, 3], None, [10, 10.2, 10, 3, 3.1, 2.9, 3]),
        (STOCK, [10, 10.2, 10, 10.1, 3], None, [10, 10.2, 10, 10.1]),
        (STOCK, [10, 10.2, 10, 10.1, 3], 3.1, [10, 10.2, 10, 10.1, 3]),
        (COIN, [10, 10.2, 10, 3, 10, 10.1, 10], None, [10, 10.2, 10, 10, 10.1, 10]),
        (COIN, [100, 102, 99, 101, 1, 0.01, 0.011], None, [100, 102, 99, 101, 1, 0.01, 0.011]),
        (COIN, [10, 15, 10, 16, 9, 15, 10, 16, 10], None, [10, 15, 10, 16, 9, 15, 10, 16, 10]),
    ],
    ids=[
        "a day away and back",
        "two days away and back",
        "a crash that stays",
        "a last day without confirmation",
        "a last day that the quote confirms",
        "a coin away and back",
        "a coin that collapses",
        "a coin that always jumps",
    ],
)
def test_validate_bars_quarantines_only_jumps_that_return(
    asset: Asset, closes: list[float], anchor: float | None, kept: list[float]
):
    """A jump that returns within three days is an error unless the asset often moves like that. A new level is kept."""
    checked = check(flat(*closes), asset, anchor=anchor)
    assert list(checked.bars.close) == pytest.approx(kept)
    assert bool(checked.records) is (len(kept) < len(closes))


def test_validate_bars_corrects_the_unit_by_stored_bars():
    """One new bar in pence after stored bars in pounds is corrected."""
    stored = flat(3.0, 3.1, 3.05, first_day=18_000)
    checked = check(flat(310.0), previous=stored)
    assert list(checked.bars.close) == pytest.approx([3.1])
    assert checked.records[0].reason == "unit: ×100 against the stored bars, corrected"


@pytest.mark.parametrize("factor", [100.0, 0.01])
def test_validate_bars_that_contradict_the_quote_stores_nothing(factor: float):
    """If every day differs from the quote by a factor of 100, nothing is stored, because either may be wrong."""
    history = flat(3.0, 3.1, 3.05)
    checked = check(history, anchor=3.05 * factor)
    assert len(checked.bars) == 0
    assert checked.records[0].reason.startswith("unit: every day is 100 times off the last quote")
    assert check(history, anchor=5.0).bars is history


@pytest.mark.parametrize("factor", [100.0, 0.01])
def test_validate_bars_prefers_stored_bars_to_a_quote(factor: float):
    """A wrong quote does not change new bars that continue the stored ones."""
    new = flat(3.1, 3.2)
    assert check(new, previous=flat(3.0, 3.1, 3.05, first_day=18_000), anchor=3.05 * factor).bars is new


@pytest.mark.parametrize("simulated", ["new", "stored"])
def test_validate_bars_refuses_to_mix_simulated_and_real_bars(simulated: str):
    """Simulated and real bars are never stored together, and the quarantine record explains what to do."""
    simulated_bars, real_bars = (
        replace(flat(3.0, 3.1), provider=provider) for provider in ("simulated/yahoo", "yahoo")
    )
    new, stored = (simulated_bars, real_bars) if simulated == "new" else (real_bars, simulated_bars)
    checked = check(new, previous=stored)
    assert len(checked.bars) == 0
    expected = f"source: stored bars are from {stored.provider}; empty this Redis or use another"
    assert checked.records[0].reason == expected


def test_validate_bars_ignores_stored_bars_that_are_replaced():
    """After a reverse split of 1:100, the whole history has the new scale, and the replaced bars are not compared."""
    checked = check(flat(*[300.0] * 5), previous=flat(*[3.0] * 5))
    assert checked.records == ()


def test_validate_bars_quarantines_an_inconsistent_day():
    """A day whose high and low differ by a factor of twenty is quarantined, because this is not a unit error."""
    rows = [(10.0, 10.1, 9.9, 10.0)] * 3
    checked = check(bars_of([*rows, (10.0, 10.1, 0.3, 10.0), *rows]))
    assert len(checked.bars) == 6
    assert checked.records[0].reason.startswith("range: ")


def test_validate_bars_of_no_bars_returns_them():
    """An empty response is valid."""
    empty = flat()
    assert check(empty, previous=flat(1.0)).bars is empty


PRICES = st.one_of(st.floats(), st.floats(0.5, 2), st.floats(50, 200), st.just(1.0))


@given(
    st.lists(st.tuples(PRICES, PRICES, PRICES, PRICES, st.floats()), max_size=12),
    st.lists(st.floats(0.5, 200), max_size=3),
    st.none() | st.floats(0.5, 200),
    st.sampled_from([STOCK, COIN]),
)
def test_validated_bars_have_only_possible_prices(
    rows: list[tuple[float, ...]], known: list[float], anchor: float | None, asset: Asset
):
    """For any input, validation does not raise, days ascend, and prices are positive and finite."""
    bars = bars_of(rows)
    bars = replace(bars, volume=array("d", (row[4] for row in rows)))
    checked = check(bars, asset, flat(*known, first_day=18_000), anchor)
    assert list(checked.bars.days) == sorted(set(checked.bars.days))
    for name in ("open", "high", "low", "close"):
        assert all(0 < price < math.inf for price in getattr(checked.bars, name))
    assert all(0 <= volume < math.inf for volume in checked.bars.volume)
    assert all(len(record.payload) <= 2_000 for record in checked.records)
    assert bool(checked.records) is (checked.bars is not bars)
