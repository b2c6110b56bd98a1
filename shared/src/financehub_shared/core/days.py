"""Days as numbers since 1970-01-01, which bars and indicators use."""

from datetime import date, timedelta

_EPOCH = date(1970, 1, 1)
#: 1970-01-01 was a Thursday.
_THURSDAY = 3
SATURDAY, SUNDAY = 5, 6


def iso_day(day: int) -> str:
    """Return a day in ISO 8601: 20,119 → `2025-01-31`."""
    return (_EPOCH + timedelta(days=day)).isoformat()


def weekday(day: int) -> int:
    """Return the day of the week of a day. Monday is 0."""
    return (day + _THURSDAY) % 7


def week(day: int) -> int:
    """Return the number of the week of a day. A week begins on Monday."""
    return (day + _THURSDAY) // 7
