"""Reads the dates of feeds. Pure."""

import re
from datetime import UTC, datetime, timedelta

from financehub_shared.providers.rss.zones import ZONE, zone_offset

#: Beginnings of the names of the twelve months: English, German, French, Spanish, Italian, Portuguese, Dutch, Russian.
_MONTH_NAMES = (
    "jan ene gen янв|feb fev fév фев|mar mär mrz mrt maa мар|apr avr abr апр|may mai mag mei май мая|jun juin giu июн"
    "|jul juil lug июл|aug aoû ago авг|sep set сен|oct okt out ott окт|nov ноя|dec dez déc dic дек"
)
_MONTHS = {name: month for month, names in enumerate(_MONTH_NAMES.split("|"), 1) for name in names.split()}

_COMMENT = re.compile(r"\([^()]*\)")
_TIME = re.compile(
    r"(?<!\d)(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?:[.,]\d+)?)?(?:\s*(?P<half>[ap])\.?m\b\.?)?",
    re.IGNORECASE,
)
#: The word after a day is its month, otherwise the word before it. In `mar, 6 oct`, the first word is a day of the
#: week.
_AFTER_DAY = re.compile(
    r"(?<!\d)\d{1,2}+(?!\d)(?:st|nd|rd|th|er|º)?+[\s.,/-]*+(?:of\s|de\s)?+\s*+([^\W\d_]+)", re.IGNORECASE
)
_BEFORE_DAY = re.compile(r"([^\W\d_]+)[\s.,-]*+\d{1,2}(?!\d)")
_YEAR_FIRST = re.compile(
    r"(?P<year>\d{4})(?:(?P<mark>[-/.])(?P<month>\d{1,2})(?P=mark)(?P<day>\d{1,2})"
    r"|[年년]\s*(?P<month_2>\d{1,2})[月월]\s*(?P<day_2>\d{1,2})[日일])T?",
    re.IGNORECASE,
)
_YEAR_LAST = re.compile(r"(?:[^\W\d_]+[\s.,]+)?(\d{1,2})([-/.])(\d{1,2})\2(\d{4}),?")
_COMPACT = re.compile(r"(\d{4})(\d\d)(\d\d)(?:T?(\d\d)(\d\d)(\d\d))?(?!\d)", re.IGNORECASE)
#: Unix time in seconds or milliseconds.
_UNIX = re.compile(r"(\d{10})(\d{3})?")
#: Number of characters of a date that are read.
_LENGTH_MAX = 100


def parse_date(text: str) -> float | None:
    """Return a date in Unix seconds, or None if it is not in one of the usual forms.

    The forms are those of RFC 822 and RFC 3339 and their common variants: full names of months and days in the largest
    European languages, the month first, two-digit years, numbers only, am and pm, and zones as names, offsets or both
    (`GMT+1`). A date without a known zone is in UTC. A date that could be one of two days (`1/2/2027`) is not read.

    Args:
        text: The date as the feed contains it.
    """
    text = _COMMENT.sub(" ", text[:_LENGTH_MAX]).strip()
    if unix := _UNIX.fullmatch(text):
        return float(unix[1])
    if compact := _COMPACT.match(text):
        year, month, date, *clock = compact.groups()
        text = f"{year}-{month}-{date} {':'.join(filter(None, clock))}{text[compact.end() :]}"
    time = _TIME.search(text)
    before, after = (text[: time.start()], text[time.end() :]) if time else (text, "")
    zone = ZONE.match(after) if time else None
    day = _day(before, after[zone.end() :] if zone and zone["sign"] else after)
    if day is None:
        return None
    try:
        local = datetime(*day, tzinfo=UTC) + (_time_of_day(time) if time else timedelta())
        # .NET writes 0001-01-01T00:00:00+01:00 for a date that is not set, which is before the first year in UTC.
        return (local - zone_offset(zone, after.strip(), local)).timestamp()
    except (ValueError, OverflowError):
        return None


def _day(before: str, after: str) -> tuple[int, int, int] | None:
    """Return year, month and day, or None if they are missing or could also be another day."""
    numeric = before.strip()
    if found := _YEAR_FIRST.fullmatch(numeric):
        return int(found["year"]), int(found["month"] or found["month_2"]), int(found["day"] or found["day_2"])
    if found := _YEAR_LAST.fullmatch(numeric):
        return _day_of_numbers(int(found[1]), int(found[3]), int(found[4]), found[2])
    text = f"{before}|{after}"  # a zone after the time is not the word after the day
    numbers = [number for number in re.findall(r"\d+", text) if len(number) in {1, 2, 4}]
    word = _AFTER_DAY.search(text) or _BEFORE_DAY.search(text)
    month = _month(word[1].casefold()) if word else None
    if month is None or len(numbers) != 2:
        return None
    day, year = sorted(numbers, key=len) if len(numbers[0]) == 4 else numbers
    century = 0 if len(year) == 4 else 2000 if int(year) < 70 else 1900
    return century + int(year), month, int(day)


def _month(name: str) -> int | None:
    return _MONTHS.get(name[:4]) or _MONTHS.get(name[:3])


def _day_of_numbers(first: int, second: int, year: int, mark: str) -> tuple[int, int, int] | None:
    """Return the date of `15.1.2027`, `15/1/2027` or `1/15/2027`. Only a point shows that the day is the first one."""
    if mark == "." or first > 12 or first == second:
        return year, second, first
    return (year, first, second) if second > 12 else None


def _time_of_day(time: re.Match[str]) -> timedelta:
    hour, minute, second = int(time["hour"]), int(time["minute"]), int(time["second"] or 0)
    if time["half"]:
        if not 1 <= hour <= 12:
            raise ValueError(f"{hour} is not an hour from 1 to 12")
        hour = hour % 12 + (12 if time["half"].lower() == "p" else 0)
    # 24:00 is the end of a day, and the second 60 is a leap second
    if hour > 24 or (hour == 24 and (minute or second)) or minute > 59 or second > 60:
        raise ValueError("not a time of day")
    return timedelta(hours=hour, minutes=minute, seconds=second)
