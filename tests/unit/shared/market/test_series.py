"""Laws of merging and trimming bars."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from financehub_shared.core.models import Bars
from financehub_shared.market.series import decode_bars, encode_bars, merge_bars, trim_bars
from support.store_contract import bars

HISTORIES = st.builds(
    lambda days, level, provider: bars("AAPL", sorted(days), level, provider),
    st.sets(st.integers(19_990, 20_010), max_size=21),
    st.integers(1, 1_000).map(float),
    st.sampled_from(["yahoo", "kraken"]),
)


@given(HISTORIES, HISTORIES, HISTORIES)
def test_merging_is_associative(a: Bars, b: Bars, c: Bars):
    """It does not matter in which portions a history arrives."""
    assert merge_bars(merge_bars(a, b), c) == merge_bars(a, merge_bars(b, c))


@given(HISTORIES, HISTORIES)
def test_merging_is_the_union_by_day_with_the_new_winning(old: Bars, new: Bars):
    """Each day of either is there once, ascending, with the whole row of the new one where it has the day."""
    merged = merge_bars(old, new)
    rows = {day: row for each in (old, new) for day, *row in zip(*columns(each), strict=True)}
    assert list(zip(*columns(merged), strict=True)) == [(day, *rows[day]) for day in sorted(rows)]


@given(HISTORIES, HISTORIES)
def test_merging_is_idempotent(old: Bars, new: Bars):
    """A portion that arrives twice changes nothing more."""
    merged = merge_bars(old, new)
    assert merge_bars(merged, new) == merged


@given(HISTORIES)
def test_no_bars_are_neutral(history: Bars):
    """Merging with nothing is no change."""
    nothing = bars("AAPL", [])
    assert merge_bars(history, nothing) == history
    assert merge_bars(nothing, history) == history or not len(history)


@given(HISTORIES, HISTORIES, st.integers(19_980, 20_020))
def test_trimming_commutes_with_merging(old: Bars, new: Bars, first_day: int):
    """Clean-up before or after a fetch leaves the same bars."""
    after = trim_bars(merge_bars(old, new), first_day)
    before = merge_bars(trim_bars(old, first_day), trim_bars(new, first_day))
    assert columns(after) == columns(before)


@given(HISTORIES)
def test_bars_survive_the_blob(history: Bars):
    """What is encoded is decoded, symbol from the key and provider from the metadata."""
    assert decode_bars("MSFT", encode_bars(history)) == replace(history, symbol="MSFT")


def columns(history: Bars) -> list[object]:
    """All columns, days first."""
    return [history.days, history.open, history.high, history.low, history.close, history.volume]
