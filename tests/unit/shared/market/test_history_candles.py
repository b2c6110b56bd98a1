"""Tests of candles: intervals, ranges and folding."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from financehub_shared.core.durations import DAY_SECONDS
from financehub_shared.core.models import Candle, PricePoint
from financehub_shared.market.history_candles import INTERVALS, check_range, fold, interval_seconds, whole_intervals

series = st.lists(
    st.tuples(st.integers(0, 3 * 86_400_000), st.floats(0.5, 2.0)).map(lambda p: PricePoint(p[0] / 1_000, p[1])),
    max_size=20,
).map(lambda points: sorted(points, key=lambda point: point.at))


def naive(points: list[PricePoint], seconds: int) -> list[Candle]:
    """Return the candles by testing each interval separately."""
    candles = []
    for begin in sorted({math.floor(point.at / seconds) * seconds for point in points}):
        prices = [point.price for point in points if begin <= point.at < begin + seconds]
        candles.append(Candle(begin, prices[0], max(prices), min(prices), prices[-1], len(prices)))
    return candles


@given(points=series, seconds=st.sampled_from(list(INTERVALS.values())))
def test_fold_equals_a_naive_reference(points: list[PricePoint], seconds: int):
    """Each point is in exactly one candle, which has the first, highest, lowest and last price of its interval."""
    assert fold(points, seconds) == naive(points, seconds)


@given(points=series)
def test_fold_of_parts_equals_the_fold_of_the_whole(points: list[PricePoint]):
    """Days do not affect one another, so a history can be folded day by day."""
    days = [[point for point in points if point.at // DAY_SECONDS == day] for day in range(4)]
    for seconds in INTERVALS.values():
        assert [candle for day in days for candle in fold(day, seconds)] == fold(points, seconds)


@given(
    points=series,
    seconds=st.sampled_from(list(INTERVALS.values())),
    start=st.floats(0, 259_200),
    length=st.floats(1, 200_000),
)
def test_candles_of_whole_intervals_are_those_of_the_whole_history(
    points: list[PricePoint], seconds: int, start: float, length: float
):
    """Each interval that a range touches has the candle that it has without a range, and no other interval has one."""
    end = start + length
    first, last = whole_intervals(start, end, seconds)
    found = fold([point for point in points if first <= point.at < last], seconds)
    assert found == [candle for candle in fold(points, seconds) if candle.at + seconds > start and candle.at < end]


def test_fold_at_midnight_begins_a_new_day():
    """A day is a day in UTC, and a price at midnight belongs to the day that begins."""
    points = [PricePoint(DAY_SECONDS - 0.001, 1.0), PricePoint(DAY_SECONDS, 2.0)]
    assert [(candle.at, candle.close) for candle in fold(points, 86_400)] == [(0, 1.0), (DAY_SECONDS, 2.0)]


def test_interval_that_is_unknown_is_refused_with_the_known_ones():
    """The message lists every interval."""
    assert [interval_seconds(interval) for interval in INTERVALS] == [60, 300, 900, 3_600, 86_400]
    with pytest.raises(ValueError, match="unknown interval '2m'; choose one of 1m, 5m, 15m, 1h, 1d"):
        interval_seconds("2m")


@pytest.mark.parametrize(
    ("start", "end", "problem"),
    [
        (0.0, 0.0, "before its end"),
        (1.0, 0.0, "before its end"),
        (math.nan, 1.0, "finite"),
        (0.0, math.inf, "finite"),
        (0.0, 366 * 86_400 + 1.0, "longer than 366 days"),
    ],
)
def test_range_that_is_invalid_is_refused(start: float, end: float, problem: str):
    """The message says what is wrong."""
    with pytest.raises(ValueError, match=problem):
        check_range(start, end)


def test_range_of_the_longest_retention_is_accepted():
    """Every price that can be stored can be read in one range."""
    check_range(0.0, 366 * 86_400.0)
