"""Converts days, which bars and indicators count from 1970-01-01."""

from datetime import date, timedelta

_EPOCH = date(1970, 1, 1)
#: 1970-01-01 was a Thursday.
_THURSDAY = 3
SATURDAY, SUNDAY = 5, 6


def iso_day(day: int) -> str:
    """Return a day since 1970-01-01 in ISO 8601: 20,119 → `2025-01-31`."""
    return (_EPOCH + timedelta(days=day)).isoformat()


def weekday(day: int) -> int:
    """Return the weekday of a day since 1970-01-01. Monday is 0."""
    return (day + _THURSDAY) % 7


def week(day: int) -> int:
    """Return the number of the week that contains a day since 1970-01-01. A week begins on Monday."""
    return (day + _THURSDAY) // 7
