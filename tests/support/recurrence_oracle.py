"""An oracle for the due times of cron expressions: the definition, evaluated by brute force.

It shares no code with the engine. It asks the standard library for the local time of every minute, or of every second
for six fields, and compares the text of each field with it. It is meant for years in which all offsets are whole
minutes, so from 1973 on.

Functions: `due_times` (by the definition), `matches` (one local time) and `changes` (the clock changes of a zone).
"""

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

_MONTHS = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"]
_WEEKDAYS = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"]
_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 — the difference of two local times
_HOUR, _DAY = 3_600, 86_400


def due_times(expression: str, zone: ZoneInfo, begin: int, end: int, day_match: str = "Any") -> list[int]:
    """Return the due times in (begin, end].

    Args:
        expression: Five or six cron fields.
        zone: The time zone.
        begin: Unix seconds.
        end: Unix seconds.
        day_match: `Any` or `All`.
    """
    fields = expression.upper().split()
    minute, hour = fields[-5], fields[-4]
    step = 1 if len(fields) == 6 else 60
    if minute.startswith("*") or hour.startswith("*"):
        first = begin // step * step + step
        return [at for at in range(first, end + 1, step) if matches(expression, _local(at, zone), day_match)]
    return sorted({at for at in _first_passes(expression, zone, begin, end, step, day_match) if begin < at <= end})


def _first_passes(expression: str, zone: ZoneInfo, begin: int, end: int, step: int, day_match: str) -> Iterator[int]:
    """Yield the instant of each matching local time around the range: its first pass, or the end of its gap."""
    instants = range((begin - 2 * _DAY) // 60 * 60, end + 2 * _DAY, 60)
    passes: dict[datetime, int] = {}
    for at in instants:
        passes.setdefault(_local(at, zone), at)
    local, last = _local(instants[0] + _DAY // 2, zone), _local(instants[-1] - _DAY // 2, zone)
    *seconds, minute, hour, day, month, weekday = expression.upper().split()
    every_second = f"{minute} {hour} {day} {month} {weekday}"
    of_minute = [second for second in range(60) if not seconds or _matches_number(seconds[0], second, 0, 59)]
    while local <= last:
        if matches(every_second, local, day_match):
            if local in passes:
                yield from (passes[local] + second for second in (of_minute if step == 1 else (0,)))
            else:
                yield next(at for at in instants if _local(at, zone) > local)
        local += timedelta(minutes=1)


def changes(zone: ZoneInfo, begin: int, end: int) -> list[int]:
    """Return the instants in (begin, end] at which the offset of a zone changes, for ranges after 1973.

    Args:
        zone: The time zone. Two of its changes are more than six hours apart.
        begin: Unix seconds.
        end: Unix seconds.
    """
    found = []
    step = 6 * _HOUR
    for first in range(begin - begin % step, end + 1, step):
        if _offset(first, zone) != _offset(first + step, zone):
            minutes = range(first + 60, first + step + 60, 60)
            found += [at for at in minutes if _offset(at - 60, zone) != _offset(at, zone) and begin < at <= end]
    return found


def matches(expression: str, local: datetime, day_match: str = "Any") -> bool:
    """Whether a cron expression matches a local time, whatever the clocks do.

    Args:
        expression: Five or six cron fields.
        local: The local time, without a zone.
        day_match: `Any` or `All`.
    """
    fields = tuple(expression.upper().split())
    second, minute, hour, day, month, weekday = fields if len(fields) == 6 else ("0", *fields)
    return (
        _matches_number(minute, local.minute, 0, 59)
        and _matches_number(hour, local.hour, 0, 23)
        and _matches_number(second, local.second, 0, 59)
        and _matches_date(day, month, weekday, local.date(), day_match)
    )


@lru_cache(maxsize=100_000)
def _matches_date(day: str, month: str, weekday: str, today: date, day_match: str) -> bool:
    if not any(_in_entry(entry, today.month, 1, 12, _MONTHS, 1) for entry in month.split(",")):
        return False
    by_day = any(_matches_day(entry, today) for entry in day.split(","))
    by_weekday = any(_matches_weekday(entry, today) for entry in weekday.split(","))
    both = day.startswith("*") or weekday.startswith("*") or day_match == "All"
    return by_day and by_weekday if both else by_day or by_weekday


@lru_cache(maxsize=100_000)
def _matches_number(text: str, value: int, first: int, last: int) -> bool:
    return any(_in_entry(entry, value, first, last, (), 0) for entry in text.split(","))


def _in_entry(entry: str, value: int, first: int, last: int, names: list[str] | tuple[()], base: int) -> bool:
    """Whether a value is in `*`, `a`, `a/n`, `a-b` or `a-b/n`, counted from `a` around the end of the field."""
    term, _, step = entry.partition("/")
    size = last - first + 1
    begin, _, end = (str(first), "-", str(last)) if term == "*" else term.partition("-")
    low = names.index(begin) + base if begin in names else int(begin)
    high = (last if step else low) if not end else names.index(end) + base if end in names else int(end)
    place, span = (value - low) % size, (high - low) % size
    return place <= span and place % int(step or 1) == 0


def _matches_day(entry: str, today: date) -> bool:
    length = ((today.replace(day=1) + timedelta(days=32)).replace(day=1) - timedelta(days=1)).day
    if entry.endswith("W"):
        number = length - int(entry[2:-1] or 0) if entry[0] == "L" else int(entry[:-1])
        return 1 <= number <= length and today == _nearest(today.replace(day=number))
    if entry.startswith("L"):
        return today.day == length - int(entry[2:] or 0)
    return _in_entry(entry, today.day, 1, 31, (), 0)


def _nearest(target: date) -> date:
    near = (target + timedelta(days=days) for days in (0, -1, 1, -2, 2))
    return next(day for day in near if day.month == target.month and day.weekday() < 5)


def _matches_weekday(entry: str, today: date) -> bool:
    match = re.fullmatch(r"(\w+)#(\d)|(\w+)L", entry)
    if match is None:
        # Sunday is 0 and 7, and a range may begin or end with either.
        return any(_in_week(entry, number) for number in {today.isoweekday() % 7, today.isoweekday()})
    name = match[1] or match[3]
    if (_WEEKDAYS.index(name) if name in _WEEKDAYS else int(name) % 7) != today.isoweekday() % 7:
        return False
    if match[3]:
        return (today + timedelta(days=7)).month != today.month
    return (today.day - 1) // 7 + 1 == int(match[2])


def _in_week(entry: str, number: int) -> bool:
    """Whether a weekday from 0 to 7 is in an entry: in the order of the week, from the first one on."""
    term, _, step = entry.partition("/")
    begin, _, end = ("0", "-", "7") if term == "*" else term.partition("-")
    low = _WEEKDAYS.index(begin) if begin in _WEEKDAYS else int(begin)
    high = (7 if step else low) if not end else _WEEKDAYS.index(end) if end in _WEEKDAYS else int(end)
    if low == 7:
        low, high = 0, high % 7
    days = range(low, high + 1 if low <= high else high + 8, int(step or 1))
    return any(day % 7 == number % 7 for day in days)


def _local(at: int, zone: ZoneInfo) -> datetime:
    return _EPOCH + timedelta(seconds=at + _offset(at, zone))


def _offset(at: int, zone: ZoneInfo) -> int:
    offset = datetime.fromtimestamp(at, UTC).astimezone(zone).utcoffset()
    assert offset is not None
    return int(offset.total_seconds())
