"""Durations as strings."""

import pytest

from financehub_shared.core.durations import format_age, format_duration, parse_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("45s", 45),
        ("30m", 1_800),
        ("12h", 43_200),
        ("7d", 604_800),
        ("1.5h", 5_400),
        ("1h30m", 5_400),
        ("1d1s", 86_401),
    ],
)
def test_parse_duration_with_valid_text_returns_seconds(text: str, seconds: float):
    """Numbers with a unit are added up."""
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "5", "m", "5 m", "-5m", "5w", "5M", "1h 30m", "5m!"])
def test_parse_duration_with_invalid_text_raises(text: str):
    """Any other string is refused with an example of a valid one."""
    with pytest.raises(ValueError, match="30m"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, ""),
        (-1, "0ms"),
        (0.12, "120ms"),
        (2.54, "2.5s"),
        (59, "59s"),
        (192, "3m 12s"),
        (3_600, "1h 0m"),
        (187_200, "2d 4h"),
        (float("inf"), "forever"),
        (float("-inf"), "0ms"),
        (float("nan"), "unknown"),
    ],
)
def test_format_duration_uses_two_largest_units(seconds: float | None, text: str):
    """A duration is shown in its two largest units, and with a higher resolution below ten seconds."""
    assert format_duration(seconds) == text


def test_format_age_counts_back_from_now():
    """An age is the duration since a timestamp, followed by 'ago'. Without a timestamp there is no age."""
    assert format_age(100.0, 292.0) == "3m 12s ago"
    assert format_age(None, 292.0) == ""
