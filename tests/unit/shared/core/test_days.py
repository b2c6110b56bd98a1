"""Tests of days as numbers."""

from datetime import date

from hypothesis import given
from hypothesis import strategies as st

from financehub_shared.core.days import iso_day, week, weekday


def test_iso_day_counts_from_1970():
    """Days are counted from 1970-01-01."""
    assert iso_day(0) == "1970-01-01"
    assert iso_day(20_468) == "2026-01-15"


@given(st.integers(0, 60_000))
def test_weekday_and_week_are_those_of_the_calendar(day: int):
    """The day of the week is the same as that of `date`, and a week has the days from Monday to Sunday."""
    assert weekday(day) == date.fromisoformat(iso_day(day)).weekday()
    assert week(day) == week(day - weekday(day)) == week(day + 6 - weekday(day))
