"""Intervals with and without an offset."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from financehub_shared.recurrence.build import build_recurrence
from financehub_shared.recurrence.interval import Interval, near_interval, parse_interval
from financehub_shared.recurrence.rules import parse_rule

_DAY = 86_400


@pytest.mark.parametrize(
    ("text", "seconds", "offset"),
    [
        ("@every 90s", 90, 0),
        ("@every 1h30m", 5_400, 0),
        ("@every 1d2h3m4s", 93_784, 0),
        ("@every 366d", 366 * _DAY, 0),
        ("@every 1h offset 7m", 3_600, 420),
        ("@every  1h   offset  0s", 3_600, 0),
        ("@every 1d offset 23h59m59s", _DAY, _DAY - 1),
        ("@every 0001m", 60, 0),
    ],
)
def test_parse_interval_reads_length_and_offset(text: str, seconds: int, offset: int):
    """An interval has its length in seconds, and its offset is added to the time from which it is counted."""
    assert parse_interval(text, 1_000) == Interval(seconds, 1_000 + offset, text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("@every", "'@every' is not an interval; write it like '@every 90s', '@every 1h30m' or '@every 1h offset 7m'"),
        *((text, "with the units d, h, m and s in this order") for text in ("@every x", "@every -5m", "@every 1h1h")),
        *((text, "is not an interval") for text in ("@every5m", "@every 5m 1s", "@every 1H", "@every 1h offset")),
        *((text, "is not an interval") for text in ("@every 1h offset -7m", "@every 1h +7m", "@everything")),
        ("@every 0s", "'@every 0s' is too short; an interval must be between 1 s and 366 days, such as '@every 90s'"),
        ("@every 0d0h", "is too short"),
        ("@every 400d", "'@every 400d' is too long; an interval must be between 1 s and 366 days"),
        ("@every 366d1s", "is too long"),
        (f"@every {'9' * 200}d", "is too long"),
        (
            "@every 1h offset 1h",
            "the offset is not shorter than the interval; write one below 1h, such as '@every 1h off",
        ),
        ("@every 1h offset 400d", "the offset is not shorter"),
    ],
)
def test_parse_rule_of_an_invalid_interval_says_what_to_write(text: str, message: str):
    """The error names the interval, what is wrong with it, and a valid one."""
    with pytest.raises(ValueError) as caught:
        parse_rule(text, ZoneInfo("UTC"))
    assert message in str(caught.value)
    assert str(caught.value).startswith(repr(text))


def test_due_times_of_an_interval_with_offset_count_after_1970_or_the_start_time():
    """`@every 1h offset 7m` is due at minute 7, or seven minutes and whole hours after the start time."""
    assert build_recurrence("uid", ["@every 1h offset 7m"]).next_after(0) == 420
    start = datetime(2026, 11, 30, 10, 30, tzinfo=UTC)
    recurrence = build_recurrence("uid", ["@every 1h offset 7m"], start_time=start)
    first = int(start.timestamp()) + 420
    assert recurrence.next_after(0) == first
    assert recurrence.next_after(first) == first + 3_600
    assert recurrence.count(0, first + 36_000, 100) == 11


@given(st.integers(1, 366 * _DAY), st.integers(0, 366 * _DAY), st.floats(-1e10, 1e10))
def test_next_after_of_an_interval_is_the_first_multiple_after_the_instant(seconds: int, offset: int, time: float):
    """The next due time is later, by at most one interval, and differs from the offset by whole intervals."""
    due = Interval(seconds, offset % seconds).next_after(time)
    assert time < due <= time + seconds
    assert (due - offset % seconds) % seconds == 0


@pytest.mark.parametrize(
    ("text", "fix"),
    [
        ("@every 1.5h", "@every 1h30m"),
        ("@every 0.25d", "@every 6h"),
        ("@every 1w", "@every 7d"),
        ("@every 90", "@every 90s"),
        ("@every 100ms", "@every 1s"),
        ("@every 2000ms", "@every 2s"),
        ("@every 5 m", "@every 5m"),
        ("@every5m", "@every 5m"),
        ("@every 1h 30m", "@every 1h30m"),
        ("@every 30m1h", "@every 1h30m"),
        ("@every 5 minutes", "@every 5m"),
        ("@every 1 hour and 30 mins", "@every 1h30m"),
        ("@every 1H", "@every 1h"),
        ("@every 1h at 7m", "@every 1h offset 7m"),
        ("@every 1h phase 7 m", "@every 1h offset 7m"),
    ],
)
def test_parse_interval_of_another_form_says_the_interval_that_is_meant(text: str, fix: str):
    """The error of a duration in another form has the same duration in our form, which is valid."""
    with pytest.raises(ValueError, match="is not an interval; write") as error:
        parse_interval(text, 0)
    assert f"write {fix!r}" in str(error.value)
    assert parse_interval(fix, 0).text == fix


@pytest.mark.parametrize(
    "text",
    [
        "@every 1.5s",
        "@every 1h30",
        "@every 1h 1h",
        "@every 0w",
        "@every -5m",
        "@every 1mo",
        "@every 60w",
        "@every 1h at 2h",
    ],
)
def test_near_interval_of_an_unclear_text_is_none(text: str):
    """A text whose meaning is unclear, or that means no valid interval, gets no proposal."""
    assert near_interval(text) == ""


@given(
    st.tuples(*(st.integers(0, 9) for _ in range(4))).filter(any),
    st.sampled_from(["{} {}", "{}{} "]),
    st.sampled_from([("d", "h", "m", "s"), ("days", "hours", "minutes", "seconds"), ("D", "H", "M", "S")]),
)
def test_near_interval_of_any_spelling_has_the_same_length(numbers: tuple[int, ...], form: str, units: tuple[str, ...]):
    """The proposed interval is as long as the text says, in whichever spelling of the units."""
    parts = [form.format(number, unit) for number, unit in zip(numbers, units, strict=True) if number]
    found = near_interval(f"@every {' '.join(parts)}")
    lengths = (86_400, 3_600, 60, 1)
    assert parse_interval(found, 0).seconds == sum(map(int.__mul__, numbers, lengths))
