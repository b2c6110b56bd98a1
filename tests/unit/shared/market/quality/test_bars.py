"""Real histories with real errors, and real histories without: what is mended, left out and left alone."""

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

from financehub_shared.core.models import Asset, AssetType, Bars
from financehub_shared.market.quality.bars import CheckedBars, validate_bars
from financehub_shared.providers.yahoo.splits import apply_missing_splits

NOW = datetime(2025, 1, 1, tzinfo=UTC).timestamp()
STOCK = Asset("X.L", AssetType.STOCK, currency="GBP")
COIN = Asset("X-USD", AssetType.CRYPTO)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC).toordinal()


def bars_of(rows: list[tuple[float, ...]], first_day: int = 19_000) -> Bars:
    """Bars of consecutive days from (open, high, low, close) rows."""
    open, high, low, close = (array("d", (row[cell] for row in rows)) for cell in range(4))
    days = array("i", range(first_day, first_day + len(rows)))
    return Bars("X", "yahoo", days, open, high, low, close, array("d", [100.0] * len(rows)))


def flat(*closes: float, first_day: int = 19_000) -> Bars:
    return bars_of([(close, close * 1.01, close * 0.99, close) for close in closes], first_day)


def check(bars: Bars, asset: Asset = STOCK, previous: Bars | None = None, anchor: float | None = None) -> CheckedBars:
    return validate_bars(asset, bars, previous, anchor, NOW)


@pytest.fixture(scope="session")
def history(real_answers: Path) -> Callable[[str], tuple[Bars, dict[int, float]]]:
    """Bars and splits of a recorded CSV by its name; hourly ones get a day for each hour."""

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


def assert_alike(bars: Bars, fixed: Bars) -> None:
    assert list(bars.days) == list(fixed.days)
    for name in ("open", "high", "low", "close"):
        assert list(getattr(bars, name)) == pytest.approx(list(getattr(fixed, name)), rel=1e-5), name


@pytest.mark.real_data
@pytest.mark.parametrize(
    ("name", "anchor", "reasons"),
    [
        # the quote says which of the two levels is right: 14.55 pence, and 33.62 rand
        ("AET-L-1d-100x-error", 14.5, ["unit: ÷100 against the last quote, corrected"]),
        ("SSW-JO-1d-100x-error", 33.6, ["unit: ×100 against the last quote, corrected"]),
        ("ASAI-L-1h-bad-unit", None, ["unit: low, close off by 100, corrected"]),
        ("EWG-1d-no-errors", None, []),
    ],
)
def test_unit_errors_of_real_histories_are_mended(
    history: Callable[..., tuple[Bars, dict[int, float]]], name: str, anchor: float | None, reasons: list[str]
):
    """Days and cells that are 100 times off are brought to the unit of the rest; the clean bars stay as they were."""
    bars, _ = history(name)
    checked = check(bars, anchor=anchor)
    assert [record.reason for record in checked.records] == reasons
    if not reasons:
        assert checked.bars is bars
        return
    fixed, _ = history(f"{name}-fixed")
    assert_alike(checked.bars, fixed)
    untouched = [
        place for place, close in enumerate(bars.close) if close == pytest.approx(fixed.close[place], rel=1e-6)
    ]
    assert [checked.bars.close[place] for place in untouched] == [bars.close[place] for place in untouched]
    assert json.loads(checked.records[0].payload)["bars"] == len(bars) - len(untouched)


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
def test_mended_histories_pass_untouched(history: Callable[..., tuple[Bars, dict[int, float]]], name: str):
    """What is right already is not touched."""
    bars, splits = history(name)
    assert check(bars).bars is bars
    assert apply_missing_splits(bars, splits) == (bars, [])


@pytest.mark.real_data
def test_without_a_quote_the_level_of_most_days_counts(history: Callable[..., tuple[Bars, dict[int, float]]]):
    """With nothing else to go by the rarer unit is brought to the more frequent one: one level, never two."""
    bars, _ = history("SSW-JO-1d-100x-error")
    checked = check(bars)
    assert [record.reason for record in checked.records] == ["unit: ÷100 against the other days, corrected"]
    assert min(checked.bars.low) > 3_000


@pytest.mark.real_data
@pytest.mark.parametrize("name", ["4063-T-1d-bad-stock-split", "DEX-AX-1d-bad-stock-split"])
def test_splits_that_were_not_applied_are(history: Callable[..., tuple[Bars, dict[int, float]]], name: str):
    """A lasting jump of just an announced split's size, days off or not, is the split: older bars get the new scale."""
    bars, splits = history(name)
    mended, done = apply_missing_splits(bars, splits)
    fixed, _ = history(f"{name}-fixed")
    assert len(done) == 1
    assert_alike(mended, fixed)
    assert check(mended).bars is mended


@pytest.mark.real_data
def test_a_day_in_the_scale_of_another_split_is_left_out(history: Callable[..., tuple[Bars, dict[int, float]]]):
    """One day at a tenth of its neighbours is no split to apply; it is quarantined and the others stay."""
    bars, splits = history("MOB-ST-1d-bad-stock-split")
    assert apply_missing_splits(bars, splits) == (bars, [])
    checked = check(bars)
    bad = list(bars.close).index(min(bars.close))
    assert [record.reason.split(":")[0] for record in checked.records] == ["jump"]
    assert list(checked.bars.close) == [close for place, close in enumerate(bars.close) if place != bad]


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")
@pytest.mark.parametrize("name", ["sp500", "nasdaq", "GOOG"])
@pytest.mark.parametrize("asset", [STOCK, COIN], ids=["stock", "crypto"])
def test_no_false_alarm_on_decades_of_real_bars(name: str, asset: Asset):
    """20 years of S&P 500 and NASDAQ and nine of Google, 2008 included, whole and day by day: not one alarm."""
    import importlib

    frame = (
        importlib.import_module("backtesting.test").GOOG
        if name == "GOOG"
        else importlib.import_module(f"arch.data.{name}").load()
    )
    days = array("i", (stamp.toordinal() - EPOCH for stamp in frame.index))
    columns = [array("d", frame[cell].astype(float)) for cell in ("Open", "High", "Low", "Close", "Volume")]
    bars = Bars(name, "yahoo", days, *columns)
    assert check(bars, asset).bars is bars
    alarms = 0
    for end in range(61, len(bars)):
        known, new = part(bars, end - 60, end), part(bars, end, end + 1)
        alarms += check(new, asset, previous=known, anchor=known.close[-1]).bars is not new
    assert alarms == 0


def part(bars: Bars, start: int, end: int) -> Bars:
    columns = (getattr(bars, name)[start:end] for name in ("open", "high", "low", "close", "volume"))
    return Bars(bars.symbol, bars.provider, bars.days[start:end], *columns)


@pytest.mark.parametrize("bad", [0.0, -5.0, math.nan, math.inf, -math.inf, 1e308, 1e-300])
@pytest.mark.parametrize("cell", range(4))
def test_values_that_are_no_prices_are_quarantined(bad: float, cell: int):
    """A day with a price that is none is left out, with what was delivered; the others are stored."""
    row = [10.0, 10.1, 9.9, 10.0]
    rows = [tuple(row)] * 5
    row[cell] = bad
    checked = check(bars_of([*rows[:2], tuple(row), *rows[3:]]))
    assert list(checked.bars.days) == [19_000, 19_001, 19_003, 19_004]
    (record,) = checked.records
    assert (record.kind, record.reason.split(":")[0], record.provider) == ("bar", "price", "yahoo")
    assert json.loads(record.payload)["bars"] == 1


@pytest.mark.parametrize("volume", [-1.0, math.nan, math.inf])
def test_a_volume_that_is_none_becomes_zero(volume: float):
    """A wrong volume does not cost the day's prices."""
    bars = flat(10, 10, 10)
    bars.volume[1] = volume
    checked = check(bars)
    assert list(checked.bars.volume) == [100.0, 0.0, 100.0]
    assert checked.records[0].reason == f"volume: {volume} set to 0, corrected"


def test_days_to_come_are_quarantined():
    """A bar of a day that has not begun anywhere is refused."""
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
        "a last day nobody confirms",
        "a last day the quote confirms",
        "a coin away and back",
        "a coin that collapses",
        "a coin that always jumps",
    ],
)
def test_jumps_that_return_are_errors_and_those_that_stay_are_the_market(
    asset: Asset, closes: list[float], anchor: float | None, kept: list[float]
):
    """Away and back within three days is an error, unless the asset moves like that; a new level is kept."""
    checked = check(flat(*closes), asset, anchor=anchor)
    assert list(checked.bars.close) == pytest.approx(kept)
    assert bool(checked.records) is (len(kept) < len(closes))


def test_new_bars_are_judged_by_the_stored_ones():
    """One new bar in pence after stored bars in pounds is mended, with the stored bars as the evidence."""
    stored = flat(3.0, 3.1, 3.05, first_day=18_000)
    checked = check(flat(310.0), previous=stored)
    assert list(checked.bars.close) == pytest.approx([3.1])
    assert checked.records[0].reason == "unit: ×100 against the stored bars, corrected"


@pytest.mark.parametrize("factor", [100.0, 0.01])
def test_one_quote_does_not_restate_a_history(factor: float):
    """Where every day is 100 times off the quote one of them is wrong: nothing is stored until they agree."""
    history = flat(3.0, 3.1, 3.05)
    checked = check(history, anchor=3.05 * factor)
    assert len(checked.bars) == 0
    assert checked.records[0].reason.startswith("unit: every day is 100 times off the last quote")
    assert check(history, anchor=5.0).bars is history


@pytest.mark.parametrize("factor", [100.0, 0.01])
def test_stored_bars_outweigh_a_quote_in_another_unit(factor: float):
    """A wrong quote does not turn the days that follow on the stored ones."""
    new = flat(3.1, 3.2)
    assert check(new, previous=flat(3.0, 3.1, 3.05, first_day=18_000), anchor=3.05 * factor).bars is new


@pytest.mark.parametrize("simulated", ["new", "stored"])
def test_bars_of_simulator_and_market_are_not_stored_beside_each_other(simulated: str):
    """A Redis that has simulated bars takes no real ones, nor the other way round, and the record says what to do."""
    made_up, real = (replace(flat(3.0, 3.1), provider=provider) for provider in ("simulated/yahoo", "yahoo"))
    new, stored = (made_up, real) if simulated == "new" else (real, made_up)
    checked = check(new, previous=stored)
    assert len(checked.bars) == 0
    assert checked.records[0].reason == f"source: stored bars are from {stored.provider}; empty this Redis or use another"


def test_bars_that_replace_stored_ones_are_not_judged_by_them():
    """After a reverse split of 1:100 the whole history comes in the new scale, and what it replaces has no say."""
    checked = check(flat(*[300.0] * 5), previous=flat(*[3.0] * 5))
    assert checked.records == ()


def test_a_torn_day_that_is_no_unit_error_is_quarantined():
    """High and low that are twenty times apart, and not by a hundred, cannot both be prices of a day."""
    rows = [(10.0, 10.1, 9.9, 10.0)] * 3
    checked = check(bars_of([*rows, (10.0, 10.1, 0.3, 10.0), *rows]))
    assert len(checked.bars) == 6
    assert checked.records[0].reason.startswith("range: ")


def test_no_bars_are_fine():
    """An answer without bars is an answer."""
    empty = flat()
    assert check(empty, previous=flat(1.0)).bars is empty


PRICES = st.one_of(st.floats(), st.floats(0.5, 2), st.floats(50, 200), st.just(1.0))


@given(
    st.lists(st.tuples(PRICES, PRICES, PRICES, PRICES, st.floats()), max_size=12),
    st.lists(st.floats(0.5, 200), max_size=3),
    st.none() | st.floats(0.5, 200),
    st.sampled_from([STOCK, COIN]),
)
def test_what_is_stored_is_always_a_price(
    rows: list[tuple[float, ...]], known: list[float], anchor: float | None, asset: Asset
):
    """Whatever arrives, judging never raises, days ascend, and what is let through is positive and finite."""
    bars = bars_of(rows)
    bars = replace(bars, volume=array("d", (row[4] for row in rows)))
    checked = check(bars, asset, flat(*known, first_day=18_000), anchor)
    assert list(checked.bars.days) == sorted(set(checked.bars.days))
    for name in ("open", "high", "low", "close"):
        assert all(0 < price < math.inf for price in getattr(checked.bars, name))
    assert all(0 <= volume < math.inf for volume in checked.bars.volume)
    assert all(len(record.payload) <= 2_000 for record in checked.records)
    assert bool(checked.records) is (checked.bars is not bars)
