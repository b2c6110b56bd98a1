"""The text of a cron expression: five fields, or six with the seconds first.

Each field is a list of entries that commas separate. An entry is `*`, a value, a range, which may wrap around the end
(`22-6`, `FRI-MON`), or one of them with a step. `5/15` means from 5 to the end of the field in steps of 15. The day of
month also has `L`, `L-3`, `15W`, `LW` and `L-3W`; the weekday has `FRI#2` and `FRIL`. Names and letters are read in
any case.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache, partial

from financehub_shared.recurrence.cron_days import CronDays, DaysOfMonth, Weekdays
from financehub_shared.recurrence.interval import near_interval
from financehub_shared.recurrence.value_lists import MONTHS, joined

_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_WEEKDAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
_ENTRY = re.compile(r"(?P<start>\*|[0-9A-Z]+)(?:-(?P<end>[0-9A-Z]+))?(?P<slash>/(?P<step>[0-9]+))?")
_DAY_SPECIAL = re.compile(r"(?P<last>L)(?:-(?P<before>[0-9]+))?(?P<nearest>W)?|(?P<day>[0-9]+)W")
_WEEKDAY_SPECIAL = re.compile(r"(?P<day>[0-9A-Z]+)#(?P<number>[0-9]+)|(?P<last>[0-9A-Z]+)L")


@dataclass(frozen=True, slots=True)
class _Field:
    """One kind of field.

    Args:
        name: Its name in messages.
        first, last: Its range.
        allowed: Its values, as messages name them.
        names: Names of its values, the one of `first` first.
    """

    name: str
    first: int
    last: int
    allowed: str
    names: tuple[str, ...] = ()


_SECOND = _Field("second", 0, 59, "0-59")
_MINUTE = _Field("minute", 0, 59, "0-59")
_HOUR = _Field("hour", 0, 23, "0-23")
_DAY = _Field("day of month", 1, 31, "1-31, L, L-3, LW or 15W")
_MONTH = _Field("month", 1, 12, "1-12 or JAN-DEC", _MONTHS)
_WEEKDAY = _Field("weekday", 0, 7, "0-7 or SUN-SAT, FRI#2 or FRIL", _WEEKDAYS)


@dataclass(frozen=True, slots=True)
class CronFields:
    """The parsed fields of a cron expression.

    Args:
        seconds, minutes, hours: The matching times of a day.
        days: The matching days.
        elapsed: Whether the expression follows elapsed time, because its minute or hour begins with `*`.
    """

    seconds: frozenset[int]
    minutes: frozenset[int]
    hours: frozenset[int]
    days: CronDays
    elapsed: bool


def has_seconds(text: str) -> bool:
    """Whether the text of a schedule is a cron expression with six fields."""
    return not text.lstrip().startswith("@") and len(text.split()) == 6


@lru_cache(maxsize=4_096)  # each line is parsed when it is validated and again with its time zone
def parse_fields(text: str, day_match: str) -> CronFields:
    """Parse a cron expression.

    Args:
        text: The expression.
        day_match: `All` if a day must match both fields for days when both are restricted, otherwise `Any`.

    Raises:
        ValueError: The expression is invalid. The message says what is wrong and what to write.
    """
    parts = text.upper().split()
    if len(parts) not in {5, 6}:
        raise ValueError(
            f"{text!r} has {len(parts)} field{'' if len(parts) == 1 else 's'}; cron takes five: minute, hour, day of "
            f"month, month, weekday; or six with the second first{_other_form(text)}"
        )
    second, minute, hour, day, month, weekday = parts if len(parts) == 6 else ("0", *parts)
    try:
        days_of_month, weekdays = _days_of_month(day), _weekdays(weekday)
        starred = day.startswith("*") or weekday.startswith("*")
        fields = CronFields(
            seconds=_values(second, _SECOND),
            minutes=_values(minute, _MINUTE),
            hours=_values(hour, _HOUR),
            days=CronDays(days_of_month, weekdays, _values(month, _MONTH), starred or day_match == "All"),
            elapsed=minute.startswith("*") or hour.startswith("*"),
        )
        _check_combination(day, weekday, fields.days, day_match)
    except ValueError as error:
        problems = field_problems(text) or [f"{text!r}: {error}"]
        others = [problem.removeprefix(f"{text!r}: ") for problem in problems[1:]]
        raise ValueError("; ".join([problems[0], *others])) from None
    if not fields.days.exist():
        raise ValueError(
            f"{text!r} never comes; none of its months has such a day, because {_missing_days(fields.days)}; change "
            "the day or the month"
        )
    return fields


def field_problems(text: str) -> list[str]:
    """Return one sentence for each invalid entry of each field of a cron expression.

    Args:
        text: The expression. The sentences of an expression with another number of fields than five or six are none.
    """
    parts = text.upper().split()
    if len(parts) not in {5, 6}:
        return []
    found: dict[str, None] = {}
    for part, parse in zip(parts, _PARSERS[-len(parts) :], strict=True):
        entries = part.split(",")
        # An empty entry is a mistake of the whole field.
        for entry in entries if all(entries) else [part]:
            try:
                parse(entry)
            except ValueError as error:
                found[f"{text!r}: {error}"] = None
    return list(found)


def _other_form(text: str) -> str:
    """Return what to write for a text that is not cron, but close to an alias or an interval."""
    alias = text.strip().lower()
    if alias in _PERIODS:
        return f"; for this period, write '@{alias}'"
    near = near_interval(text) if alias.startswith("every") else ""
    return f"; for an interval, write {near!r}" if near else ""


def _missing_days(days: CronDays) -> str:
    """Return why no day of an expression exists, such as `April and June have no day 31`."""
    of_month = days.days_of_month
    named = [str(day) for day in sorted(of_month.days | of_month.nearest)]
    named += [f"L-{before}" for before in sorted(of_month.from_last | of_month.nearest_from_last)]
    months = joined([MONTHS[month - 1] for month in sorted(days.months)])
    return f"{months} {'has' if len(days.months) == 1 else 'have'} no day {' or '.join(named)}"


def _check_combination(day: str, weekday: str, days: CronDays, day_match: str) -> None:
    """Refuse two fields for days that would have to match both, but cannot or hardly ever do.

    Raises:
        ValueError: The combination is not supported.
    """
    nearest = days.days_of_month.nearest or days.days_of_month.nearest_from_last
    numbered = days.weekdays.nth or days.weekdays.last
    written = f"day of month {day}" if nearest else f"weekday {weekday}"
    if day_match == "All" and (nearest or numbered):
        raise ValueError(
            f"{written} does not work with dayMatch All; use dayMatch Any, or days without W, # and the L of a weekday"
        )
    if numbered and day.startswith("*") and day != "*":
        raise ValueError(f"{written} does not work with day of month {day}; write * as the day of month")
    if nearest and weekday.startswith("*") and weekday != "*":
        raise ValueError(f"{written} does not work with weekday {weekday}; write * as the weekday")


def _days_of_month(text: str) -> DaysOfMonth:
    days: set[int] = set()
    from_last: set[int] = set()
    nearest: set[int] = set()
    nearest_from_last: set[int] = set()
    for entry in _entries(text, _DAY):
        match = _DAY_SPECIAL.fullmatch(entry)
        if match is None:
            days |= _expand(entry, _DAY)
        elif match["day"]:
            nearest.add(_value(match["day"], _DAY, entry))
        else:
            before = int(match["before"] or 0)
            if match["before"] and not 1 <= before <= 30:
                raise ValueError(f"day of month {entry}: use L for the last day, or L-1 to L-30 for days before it")
            (nearest_from_last if match["nearest"] else from_last).add(before)
    return DaysOfMonth(*(frozenset(found) for found in (days, from_last, nearest, nearest_from_last)))


def _weekdays(text: str) -> Weekdays:
    days: set[int] = set()
    nth: set[tuple[int, int]] = set()
    last: set[int] = set()
    for entry in _entries(text, _WEEKDAY):
        match = _WEEKDAY_SPECIAL.fullmatch(entry)
        if match is None:
            days |= {number % 7 for number in _expand(entry, _WEEKDAY)}
        elif match["last"]:
            last.add(_value(match["last"], _WEEKDAY, entry) % 7)
        else:
            number = int(match["number"])
            if not 1 <= number <= 5:
                raise ValueError(
                    f"weekday {entry}: a month has a weekday up to five times; use #1 to #5, or L for last"
                )
            nth.add((_value(match["day"], _WEEKDAY, entry) % 7, number))
    return Weekdays(frozenset(days), frozenset(nth), frozenset(last))


def _values(text: str, field: _Field) -> frozenset[int]:
    return _union(_expand(entry, field) for entry in _entries(text, field))


def _union(sets: Iterable[set[int]]) -> frozenset[int]:
    return frozenset().union(*sets)


def _entries(text: str, field: _Field) -> list[str]:
    entries = text.split(",")
    if not all(entries):
        raise ValueError(f"{field.name} {text} has an empty entry; remove the extra comma")
    return entries


def _expand(entry: str, field: _Field) -> set[int]:
    """Return the values of `*`, a value or a range, with or without a step."""
    match = _ENTRY.fullmatch(entry)
    if match is None or (match["start"] == "*" and match["end"]):
        raise _invalid(entry, field)
    step = int(match["step"] or 1)
    if step == 0:
        raise ValueError(f"{field.name} {entry} has the step 0; use {field.allowed}, with a step of at least 1")
    if match["start"] == "*":
        return set(range(field.first, field.last + 1, step))
    start = _value(match["start"], field, entry)
    # A single value with a step goes to the end of its field.
    implied = field.last if match["slash"] else start
    end = _value(match["end"], field, entry) if match["end"] else implied
    return set(_range(start, end, step, field))


def _range(start: int, end: int, step: int, field: _Field) -> list[int]:
    # The week has seven days although Sunday is both 0 and 7: a range to 7 ends on Sunday, and one from 7 begins on it.
    length = 7 if field is _WEEKDAY else field.last - field.first + 1
    if end < start:
        end += length
    return [(value - field.first) % length + field.first for value in range(start, end + 1, step)]


def _value(text: str, field: _Field, entry: str) -> int:
    if text in field.names:
        return field.names.index(text) + field.first
    # Longer numbers are out of range, and Python refuses to read very long ones.
    is_number = text.isascii() and text.isdigit() and len(text.lstrip("0")) <= 100
    if not is_number or not field.first <= int(text) <= field.last:
        raise _invalid(entry, field)
    return int(text)


def _invalid(entry: str, field: _Field) -> ValueError:
    midnight = re.sub(r"(?<![0-9])0*24(?![0-9])", "0", entry)
    if field is _HOUR and midnight != entry:
        return ValueError(f"hour {entry} is not valid; write {midnight}, because midnight is the hour 0")
    return ValueError(f"{field.name} {entry} is not valid; {_remedy(entry, field)}")


def _remedy(entry: str, field: _Field) -> str:
    if entry == "?":
        return "write * instead of ?"
    if entry.startswith("/"):
        return f"write *{entry} for a step"
    if field is _DAY and entry == "W":
        return "write the day before W, such as 15W, or LW for the last weekday of the month"
    if field is _WEEKDAY and entry == "L":
        return "write the weekday before L, such as FRIL for the last Friday"
    if entry[:3] in field.names and entry.isalpha():
        return f"write {entry[:3]}"
    return f"use {field.allowed}, with * , - and / as operators"


#: Parsers of the fields, and the aliases whose `@` is often left out.
_PARSERS: tuple[Callable[[str], object], ...] = (
    *(partial(_values, field=field) for field in (_SECOND, _MINUTE, _HOUR)),
    _days_of_month,
    partial(_values, field=_MONTH),
    _weekdays,
)
_PERIODS = ("hourly", "daily", "midnight", "weekly", "monthly", "yearly", "annually")
