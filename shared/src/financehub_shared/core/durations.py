"""Defines time units, and parses and formats durations.

Constants: `MINUTE_SECONDS`, `HOUR_SECONDS`, `DAY_SECONDS`, `WEEK_SECONDS` (integers) and the table `UNIT_SECONDS`.
Functions: `parse_duration("1h30m") -> seconds`, `format_duration(seconds) -> "3m 12s"`,
`format_age(at, now) -> "3m 12s ago"`.
"""

import math
import re

MINUTE_SECONDS = 60
HOUR_SECONDS = 3_600
DAY_SECONDS = 86_400
WEEK_SECONDS = 7 * DAY_SECONDS

#: Unit as written in a duration → seconds, largest first.
UNIT_SECONDS = {"d": DAY_SECONDS, "h": HOUR_SECONDS, "m": MINUTE_SECONDS, "s": 1}

_PART = re.compile(r"(\d+(?:\.\d+)?)([dhms])")
_DURATION = re.compile(rf"(?:{_PART.pattern})+")


def parse_duration(text: str) -> float:
    """Parse a duration such as `30m`, `1.5h` or `1h30m`, and return its seconds.

    Raises:
        ValueError: The string is not a duration.
    """
    if not _DURATION.fullmatch(text):
        raise ValueError(f"{text!r} is not a duration; write numbers with the unit d, h, m or s, such as 30m or 1h30m")
    return sum(float(number) * UNIT_SECONDS[unit] for number, unit in _PART.findall(text))


def format_duration(seconds: float | None) -> str:
    """Format a duration in its two largest units, such as `3m 12s` or `2d 4h`.

    Args:
        seconds: The duration. Durations below ten seconds are shown more precisely (`2.5s`, `120ms`). None yields an
            empty string, infinity `forever`, and a number that is not one `unknown`.
    """
    if seconds is None:
        return ""
    if math.isnan(seconds):
        return "unknown"
    if math.isinf(seconds):
        return "forever" if seconds > 0 else "0ms"
    if seconds < 1:
        return f"{max(0.0, seconds) * 1_000:.0f}ms"
    if seconds < 10:
        return f"{seconds:.1f}s"
    parts: list[str] = []
    rest = math.floor(seconds)
    for unit, length in UNIT_SECONDS.items():
        amount, rest = divmod(rest, length)
        if amount or parts:
            parts.append(f"{amount}{unit}")
    return " ".join(parts[:2])


def format_age(at: float | None, now: float) -> str:
    """Format how long ago a moment was, such as `3m 12s ago`.

    Args:
        at: The moment in Unix seconds. None yields an empty string.
        now: The current time in Unix seconds.
    """
    return "" if at is None else f"{format_duration(now - at)} ago"
