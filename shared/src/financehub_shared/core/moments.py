"""Parses and formats days and times as users write them, in a time zone."""

import re
from calendar import monthrange
from datetime import UTC, datetime, tzinfo

from financehub_shared.core.durations import parse_duration

#: A day in another order or with other separators, and maybe a time.
_YEAR_FIRST = re.compile(r"(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})(?:[T ]+(\d{1,2}):(\d{2})(?::\d{2})?)?\s*Z?", re.ASCII)
_DAY_FIRST = re.compile(r"(\d{1,2})\.(\d{1,2})\.(\d{4})(?:[T ]+(\d{1,2}):(\d{2})(?::\d{2})?)?", re.ASCII)


def parse_moment(text: str, zone: tzinfo, *, now: float | None = None) -> float:
    """Parse a day or time in ISO 8601, and return its Unix seconds. It is the only parser of the times of users.

    Args:
        text: What the user wrote.
        zone: Time zone of a text without an offset.
        now: The current time in Unix seconds. With it, a text may also say how long ago: `1d`, `-1h30m` or `now`.

    Raises:
        ValueError: It is not a day or time. The message says what is wrong, and what the user may have meant.
    """
    stripped = text.strip()
    ago = "" if now is None else ", or how long ago, such as 1h or 2d"
    if not stripped:
        raise ValueError(f"a day or time is missing; write one such as 2026-01-05 or 2026-01-05 12:00{ago}")
    if now is not None and (at := _relative(stripped, now)) is not None:
        return at
    try:
        moment = datetime.fromisoformat(stripped)
        return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).timestamp()
    except (ValueError, OverflowError):
        raise ValueError(f"{stripped[:40]!r} is not a day or time{_hint(stripped, ago)}") from None


def _relative(text: str, now: float) -> float | None:
    """Return the Unix seconds of a text such as `-1d`, or None if it is of another form.

    Raises:
        ValueError: No calendar contains the time.
    """
    if text == "now":
        return now
    try:
        at = now - parse_duration(text.removesuffix(" ago").removeprefix("-"))
    except ValueError:
        return None
    try:
        datetime.fromtimestamp(at, UTC)
    except (ValueError, OverflowError, OSError):
        problem = "is before the beginning of the calendar; write how long ago, such as 2d"
        raise ValueError(f"{text[:40]!r} {problem}") from None
    return at


def format_moment(at: float, zone: tzinfo) -> str:
    """Return a time in a zone, such as `2026-01-05 12:00`. It has seconds and an offset only if they are needed.

    Args:
        at: Unix seconds.
        zone: The time zone.
    """
    moment = datetime.fromtimestamp(at, zone)
    text = moment.strftime("%Y-%m-%d %H:%M:%S" if moment.second else "%Y-%m-%d %H:%M")
    # in the hour that the clocks repeat in autumn, the time alone is ambiguous
    is_ambiguous = moment.replace(fold=0).utcoffset() != moment.replace(fold=1).utcoffset()
    return text + moment.isoformat()[-6:] if is_ambiguous else text


def _hint(text: str, ago: str) -> str:
    general = f"; write one such as 2026-01-05 or 2026-01-05 12:00{ago}"
    if match := _YEAR_FIRST.fullmatch(text):
        year, month, day, hour, minute = match.groups()
    elif match := _DAY_FIRST.fullmatch(text):
        day, month, year, hour, minute = match.groups()
    else:
        return general
    if not 1 <= int(month) <= 12:
        return f": months go from 1 to 12, not {month}"
    if int(year) == 0:  # the calendar begins with the year 1
        return general
    days = monthrange(int(year), int(month))[1]
    if not 1 <= int(day) <= days:
        return f": that month has the days from 1 to {days}"
    if hour and (int(hour) > 23 or int(minute) > 59):
        return ": times go from 00:00 to 23:59"
    time = f" {int(hour):02}:{minute}" if hour else ""
    return f"; did you mean {year}-{int(month):02}-{int(day):02}{time}?"
