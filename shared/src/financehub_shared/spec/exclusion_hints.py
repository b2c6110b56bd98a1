"""Reads dates and times of `spec.exclude` in other notations, so that a message can say what to write."""

import re
from datetime import date

#: Longest text that is read. Longer ones are refused because of their length.
LONGEST = 60
#: A leap year, so that 02-29 exists among the days of every year.
LEAP_YEAR = 2000
_CLOCK = re.compile(r"([0-9]{1,2})(?:[:.h]?([0-9]{2}))?(?::00)?\s*(am|pm)?", re.IGNORECASE)
_SEPARATOR = re.compile(
    r"\s*(?:/|\.\.+|\bto\b|\u2013|\u2014|(?<=[0-9])\s+-\s+(?=[0-9])|(?<=-[0-9]{2})-(?=[0-9]{4}-))\s*"
)
_WITH_YEAR = (
    re.compile(r"(?P<year>[0-9]{4})[-.](?P<month>[0-9]{1,2})[-.](?P<day>[0-9]{1,2})(?:[T ][0-9:.Z]*)?"),
    re.compile(r"(?P<year>[0-9]{4})(?P<month>[0-9]{2})(?P<day>[0-9]{2})"),
    re.compile(r"(?P<day>[0-9]{1,2})\.\s*(?P<month>[0-9]{1,2})\.\s*(?P<year>[0-9]{4})"),
)
_WITHOUT_YEAR = (
    re.compile(r"(?:--)?(?P<month>[0-9]{1,2})-(?P<day>[0-9]{1,2})"),
    re.compile(r"(?P<day>[0-9]{1,2})\.\s*(?P<month>[0-9]{1,2})\.?"),
)
#: Year of a date (None for every year), month and day.
_Date = tuple[int | None, int, int]


def near_clock(text: str) -> str:
    """Return a time of day in another notation as `HH:MM`, such as `09:00` for `9am`, or an empty text."""
    match = _CLOCK.fullmatch(text.strip())
    if match is None:
        return ""
    hour, minute = int(match[1]), int(match[2] or 0)
    if match[3]:
        if not 1 <= hour <= 12:
            return ""
        hour = hour % 12 + (12 if match[3].lower() == "pm" else 0)
    if (hour, minute) == (24, 0):
        hour = 0  # the end of the day
    return f"{hour:02}:{minute:02}" if hour <= 23 and minute <= 59 else ""


def near_dates(text: str) -> str:
    """Return what to write instead of a date or a range in another notation, or an empty text if it is unclear.

    Args:
        text: A text that is not a valid entry of `dates`.
    """
    text = text.strip()
    if re.fullmatch(r"[0-9]{4}/[0-9]{1,2}/[0-9]{1,2}", text):
        text = text.replace("/", "-")
    found = [_read(part) for part in _SEPARATOR.split(text)]
    days = [day for day in found if day is not None]
    if len(days) != len(found) or not 1 <= len(days) <= 2:
        return ""
    if len(days) == 1:
        return f'"{_written(days[0])}"'
    (first_year, *first), (last_year, *last) = days
    if first_year is None and last_year is None:
        return 'both years, such as "2026-12-24/2027-01-02"'
    if last_year is None and first_year is not None:
        last_year = first_year + (last < first)
    elif first_year is None and last_year is not None:
        first_year = last_year - (last < first)
    elif (first_year, *first) > (last_year, *last):
        return ""
    begin, end = (first_year, *days[0][1:]), (last_year, *days[1][1:])
    if not (_exists(begin) and _exists(end)):
        return ""
    missing = "both years: " if None in {days[0][0], days[1][0]} else ""
    return f'{missing}"{_written(begin)}/{_written(end)}"'


def _read(text: str) -> _Date | None:
    for pattern in (*_WITH_YEAR, *_WITHOUT_YEAR):
        if match := pattern.fullmatch(text):
            year = match.groupdict().get("year")
            found = (None if year is None else int(year), int(match["month"]), int(match["day"]))
            return found if _exists(found) else None
    return None


def _exists(day: _Date) -> bool:
    try:
        date(LEAP_YEAR if day[0] is None else day[0], *day[1:])
    except ValueError:
        return False
    # The years that a spec may have
    return day[0] is None or 1_000 <= day[0] <= 2_999


def _written(day: _Date) -> str:
    year, month, number = day
    return f"{month:02}-{number:02}" if year is None else f"{year}-{month:02}-{number:02}"
