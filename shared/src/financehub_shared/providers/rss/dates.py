"""Reads the dates of feeds, including the names of time zones in them. Pure."""

import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

#: Minutes east of Greenwich → abbreviations. An abbreviation that several regions use has the meaning that is most
#: common in financial news: IST is Indian time, BST is British Summer Time, and AST, EST, CST, MST and PST are North
#: American times.
_ABBREVIATIONS = {
    0: "UT UTC GMT Z WET",
    60: "CET MET MEZ BST WEST WAT",
    120: "CEST MEST MESZ EET SAST CAT",
    180: "EEST MSK TRT IDT EAT",
    210: "IRST",
    240: "GST",
    300: "PKT",
    330: "IST",
    345: "NPT",
    420: "ICT WIB",
    480: "SGT HKT MYT PHT AWST WITA",
    540: "JST KST WIT",
    570: "ACST",
    600: "AEST",
    630: "ACDT",
    660: "AEDT",
    720: "NZST",
    780: "NZDT",
    -150: "NDT",
    -180: "BRT ART CLST ADT",
    -210: "NST",
    -240: "AST EDT CLT",
    -300: "EST CDT COT PET",
    -360: "CST MDT",
    -420: "MST PDT",
    -480: "PST AKDT",
    -540: "AKST",
    -600: "HST",
}
_OFFSETS = {name: minutes for minutes, names in _ABBREVIATIONS.items() for name in names.split()}
#: Abbreviation that does not depend on the season → time zone, whose offset depends on the date.
_ZONES = {"ET": "America/New_York", "CT": "America/Chicago", "MT": "America/Denver", "PT": "America/Los_Angeles"}
#: The largest offset of a time zone from UTC, in minutes (Kiritimati).
_OFFSET_MAX = 14 * 60
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")

_COMMENT = re.compile(r"\([^()]*\)")
_TIME = re.compile(
    r"(?<!\d)(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?:[.,]\d+)?)?(?:\s*(?P<half>[ap])\.?m\b\.?)?",
    re.IGNORECASE,
)
_ZONE = re.compile(
    r"\s*(?P<name>[a-z]+(?:/[a-z_]+)*)?\s*(?:(?P<sign>[+\u2212-])\s*(?P<hours>\d{1,2}):?(?P<minutes>\d{2})?(?!\d))?",
    re.IGNORECASE,
)
_LAST_WORD = re.compile(r"[a-z]+(?:/[a-z_]+)*$", re.IGNORECASE)
_MONTH = re.compile(rf"\b({'|'.join(_MONTHS)})[a-z]*", re.IGNORECASE)
_ISO = re.compile(r"\s*(?P<year>\d{4})-(?P<month>\d{1,2})-(?P<day>\d{1,2})T?\s*", re.IGNORECASE)
#: Number of characters of a date that are read.
_LENGTH_MAX = 100


def parse_date(text: str) -> float | None:
    """Return a date in Unix seconds, or None if it is not in one of the usual English forms.

    The forms are those of RFC 822 and RFC 3339 and their common variants: full names of months and days, the month
    first, two-digit years, am and pm, and zones as names, offsets or both (`GMT+1`). A date without a known zone is in
    UTC.

    Args:
        text: The date as the feed contains it.
    """
    text = _COMMENT.sub(" ", text[:_LENGTH_MAX]).strip()
    time = _TIME.search(text)
    before, after = (text[: time.start()], text[time.end() :]) if time else (text, "")
    zone = _ZONE.match(after) if time else None
    day = _day(before, after[zone.end() :] if zone and zone["sign"] else after)
    if day is None:
        return None
    try:
        local = datetime(*day, tzinfo=UTC) + (_time_of_day(time) if time else timedelta())
    except (ValueError, OverflowError):
        return None
    return (local - _offset(zone, after.strip(), local)).timestamp()


def _day(before: str, after: str) -> tuple[int, int, int] | None:
    iso = _ISO.fullmatch(before)
    if iso:
        return int(iso["year"]), int(iso["month"]), int(iso["day"])
    text = f"{before} {after}"
    month = _MONTH.search(text)
    numbers = [number for number in re.findall(r"\d+", text) if len(number) in {1, 2, 4}]
    if month is None or len(numbers) != 2:
        return None
    day, year = sorted(numbers, key=len) if len(numbers[0]) == 4 else numbers
    century = 0 if len(year) == 4 else 2000 if int(year) < 70 else 1900
    return century + int(year), _MONTHS.index(month[1].lower()) + 1, int(day)


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


def _offset(zone: re.Match[str] | None, after: str, local: datetime) -> timedelta:
    """Return the offset of the local time from UTC. A numeric offset takes precedence over the name before it."""
    if zone is None:
        return timedelta()
    if zone["sign"]:
        minutes = int(zone["hours"]) * 60 + int(zone["minutes"] or 0)
        minutes = minutes if minutes <= _OFFSET_MAX else 0
        return timedelta(minutes=minutes if zone["sign"] == "+" else -minutes)
    last = _LAST_WORD.search(after)
    for name in (zone["name"], last[0] if last else None):
        if name and name.upper() in _OFFSETS:
            return timedelta(minutes=_OFFSETS[name.upper()])
        if name and (name.upper() in _ZONES or "/" in name):
            try:
                return ZoneInfo(_ZONES.get(name.upper(), name)).utcoffset(local.replace(tzinfo=None)) or timedelta()
            except (ZoneInfoNotFoundError, ValueError):
                continue
    return timedelta()
