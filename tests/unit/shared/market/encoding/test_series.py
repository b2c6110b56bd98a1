"""Tests of merging and trimming bars."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from financehub_shared.core.models import Bars
from financehub_shared.market.encoding.series import decode_bars, encode_bars, merge_bars, trim_bars
from support.market_data import bars

HISTORIES = st.builds(
    lambda days, level, provider: bars("AAPL", sorted(days), level, provider),
    st.sets(st.integers(19_990, 20_010), max_size=21),
    st.integers(1, 1_000).map(float),
    st.sampled_from(["yahoo", "kraken"]),
)


@given(HISTORIES, HISTORIES, HISTORIES)
def test_merge_bars_is_associative(a: Bars, b: Bars, c: Bars):
    """The result does not depend on how a history is split into parts."""
    assert merge_bars(merge_bars(a, b), c) == merge_bars(a, merge_bars(b, c))


@given(HISTORIES, HISTORIES)
def test_merge_bars_is_the_union_by_day_with_new_rows(old: Bars, new: Bars):
    """The result has each day of both histories once, in ascending order. If both have a day, the new row is used."""
    merged = merge_bars(old, new)
    rows = {day: row for history in (old, new) for day, *row in zip(*columns(history), strict=True)}
    assert list(zip(*columns(merged), strict=True)) == [(day, *rows[day]) for day in sorted(rows)]


@given(HISTORIES, HISTORIES)
def test_merge_bars_is_idempotent(old: Bars, new: Bars):
    """Merging the same part twice has no further effect."""
    merged = merge_bars(old, new)
    assert merge_bars(merged, new) == merged


@given(HISTORIES)
def test_merge_bars_with_no_bars_changes_nothing(history: Bars):
    """Merging with an empty history returns the other history."""
    no_bars = bars("AAPL", [])
    assert merge_bars(history, no_bars) == history
    assert merge_bars(no_bars, history) == history or not len(history)


@given(HISTORIES, HISTORIES, st.integers(19_980, 20_020))
def test_trim_bars_commutes_with_merge_bars(old: Bars, new: Bars, first_day: int):
    """A cleanup before or after a fetch leaves the same bars."""
    after = trim_bars(merge_bars(old, new), first_day)
    before = merge_bars(trim_bars(old, first_day), trim_bars(new, first_day))
    assert columns(after) == columns(before)


@given(HISTORIES)
def test_decode_bars_returns_encoded_bars(history: Bars):
    """Encoded bars are returned unchanged, with the symbol from the key and the provider from the metadata."""
    assert decode_bars("MSFT", encode_bars(history)) == replace(history, symbol="MSFT")


def columns(history: Bars) -> list[object]:
    """Return all columns of a history, days first."""
    return [history.days, history.open, history.high, history.low, history.close, history.volume]
