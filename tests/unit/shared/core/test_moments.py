"""Days and times as users write them."""

from contextlib import suppress
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from financehub_shared.core.moments import format_moment, parse_moment

BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-01", "2026-11-01T00:00+01:00"),
        (" 2026-11-01 12:30 ", "2026-11-01T12:30+01:00"),
        ("2026-07-01T12:30", "2026-07-01T12:30+02:00"),
        ("2026-07-01T12:30Z", "2026-07-01T12:30+00:00"),
        ("2026-10-25 02:30+01:00", "2026-10-25T02:30+01:00"),
    ],
)
def test_text_without_offset_is_in_the_zone(text: str, expected: str) -> None:
    """A time is in the given zone unless it has an offset."""
    assert parse_moment(text, BERLIN) == datetime.fromisoformat(expected).timestamp()


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("", "a day or time is missing"),
        ("tomorrow", "is not a day or time; write one such as 2026-01-05"),
        ("2026/11/1", "did you mean 2026-11-01?"),
        ("1.11.2026 9:05", "did you mean 2026-11-01 09:05?"),
        ("2026-11-31", "that month has the days from 1 to 30"),
        ("2026-13-01", "months go from 1 to 12, not 13"),
        ("2026-11-01 24:30", "times go from 00:00 to 23:59"),
        ("0000-01-01", "is not a day or time; write one such as 2026-01-05"),
        ("0000-11-41", "is not a day or time; write one such as 2026-01-05"),
        ("٢٠٢٦-11-1", "is not a day or time; write one such as"),
    ],
)
def test_wrong_text_raises_with_what_the_user_may_have_meant(text: str, hint: str) -> None:
    """The message says what is missing or wrong, and how it is written."""
    with pytest.raises(ValueError) as raised:
        parse_moment(text, UTC)
    assert hint in str(raised.value)


@given(st.text(max_size=60))
def test_any_text_is_parsed_or_raises_a_value_error(text: str) -> None:
    """No text makes the parser fail in another way."""
    with suppress(ValueError):
        assert isinstance(parse_moment(text, BERLIN), float)


@given(st.integers(1_760_000_000, 1_800_000_000))
def test_formatted_time_is_parsed_to_the_same_time(at: int) -> None:
    """The text of a time names exactly this time, also in the hour that the clocks repeat in autumn."""
    assert parse_moment(format_moment(at, BERLIN), BERLIN) == at


@pytest.mark.parametrize(
    ("text", "seconds_ago"),
    [
        ("1d", 86_400),
        ("-1d", 86_400),
        ("1h30m", 5_400),
        ("-1.5h", 5_400),
        ("2d ago", 172_800),
        ("now", 0),
        (" -5m ", 300),
    ],
)
def test_relative_text_is_counted_back_from_now(text: str, seconds_ago: float) -> None:
    """With the current time, a duration is how long ago, with or without a minus sign."""
    assert parse_moment(text, BERLIN, now=1_770_000_000.0) == 1_770_000_000.0 - seconds_ago


@pytest.mark.parametrize("text", ["1d", "-1d", "now"])
def test_relative_text_without_the_current_time_is_refused(text: str) -> None:
    """Where only days and times make sense, a duration is refused."""
    with pytest.raises(ValueError, match=r"is not a day or time; write one such as 2026-01-05 or 2026-01-05 12:00$"):
        parse_moment(text, UTC)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("9" * 400 + "d", "is before the beginning of the calendar"),
        ("999999999d", "is before the beginning of the calendar"),
        ("--1d", "or how long ago, such as 1h or 2d"),
        ("+1d", "or how long ago, such as 1h or 2d"),
        ("", "or how long ago, such as 1h or 2d"),
    ],
)
def test_wrong_relative_text_raises_with_the_forms(text: str, problem: str) -> None:
    """Times before every calendar, and texts that are not durations, are refused with what to write."""
    with pytest.raises(ValueError) as raised:
        parse_moment(text, UTC, now=1_770_000_000.0)
    assert problem in str(raised.value)


@given(st.text(max_size=60) | st.from_regex(r"-?[0-9]{1,12}[dhms]", fullmatch=True))
def test_any_text_with_the_current_time_is_parsed_or_raises_a_value_error(text: str) -> None:
    """No text makes the parser fail in another way."""
    with suppress(ValueError):
        assert isinstance(parse_moment(text, BERLIN, now=1_770_000_000.0), float)
