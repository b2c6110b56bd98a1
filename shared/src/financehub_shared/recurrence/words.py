"""Says in words when the lines of a schedule are due, so that a user sees whether they say what was meant.

The words come from the parsed expression and not from its text: `22-6` is read back as its hours.
"""

from collections.abc import Collection, Iterable, Sequence
from itertools import pairwise

from financehub_shared.recurrence.cron_days import CronDays, DaysOfMonth, Weekdays
from financehub_shared.recurrence.cron_fields import CronFields, parse_fields
from financehub_shared.recurrence.rules import ALIASES
from financehub_shared.recurrence.sessions import CLOSE, OPEN
from financehub_shared.recurrence.value_lists import MONTHS, WEEKDAYS, joined

#: What `@open` and `@close` mean, unless the calendar has one session a week.
SESSION_DAY = "session day"
_NUMBERS = ("first", "second", "third", "fourth", "fifth")
#: Times of a day that are listed. More of them are described by their hours and minutes.
_MAX_TIMES = 6


def line_in_words(text: str, day_match: str = "Any") -> str:
    """Return when one valid line of a schedule is due, such as `at 06:30 from Monday to Friday`.

    Args:
        text: The line.
        day_match: `spec.dayMatch`.
    """
    if text.startswith("@every"):
        words = text.split()
        return f"every {words[1]}" + (f", moved by {words[3]}" if len(words) > 2 else "")
    if text in {OPEN, CLOSE}:
        return f"at the {'opening' if text == OPEN else 'close'} of each {SESSION_DAY}"
    fields = parse_fields(ALIASES.get(text, text), day_match)
    times, days = _times(fields), _days(fields.days)
    return f"{times} {days or 'every day'}" if times.startswith("at ") and ":" in times else f"{times} {days}".rstrip()


def _times(fields: CronFields) -> str:
    seconds, minutes, hours = fields.seconds, fields.minutes, fields.hours
    if len(seconds) * len(minutes) * len(hours) <= _MAX_TIMES:
        times = [
            f"{hour:02}:{minute:02}" + (f":{second:02}" if seconds != {0} else "")
            for hour in sorted(hours)
            for minute in sorted(minutes)
            for second in sorted(seconds)
        ]
        return f"at {joined(times)}"
    parts = ["" if seconds == {0} else _part(seconds, 60, "second")]
    if len(minutes) < 60 or not _is_every(seconds, 60):
        parts.append(_part(minutes, 60, "minute", parts[0]))
    if len(hours) < 24 or not _is_every(minutes, 60):
        parts.append(_part(hours, 24, "hour", parts[-1]))
    return " ".join(filter(None, parts))


def _is_every(values: Collection[int], size: int) -> bool:
    """Whether values repeat in equal steps, also over the end of their field."""
    return len(values) > 1 and sorted(values) == list(range(0, size, size // len(values)))


def _part(values: Collection[int], size: int, unit: str, smaller: str = "") -> str:
    """Return one part of the time of day, such as `every 5 minutes` or `in hours 9 to 17`.

    Args:
        values: The values.
        size: Number of all values.
        unit: Name of the unit.
        smaller: The part before this one.
    """
    if len(values) == size:
        return f"of every {unit}" if smaller else f"every {unit}"
    if _is_every(values, size):
        return f"every {size // len(values)} {unit}s"
    return f"{'in' if unit == 'hour' else 'at'} {unit}{'s' if len(values) > 1 else ''} {_ranges(sorted(values), size)}"


def _days(days: CronDays) -> str:
    of_month = [] if len(days.days_of_month.days) == 31 else _days_of_month(days.days_of_month)
    of_week = [] if len(days.weekdays.days) == 7 else _weekdays(days.weekdays)
    both = " if it is also " if days.both else " or on "
    # A field with all days can only be left out if a day must match both fields.
    parts = "" if days.are_all() else both.join(filter(None, [_or(of_month), _or(of_week)]))
    months = sorted(days.months)
    in_months = "" if len(months) == 12 else f"in {_ranges(months, 12, MONTHS, first=1, wraps=True)}"
    return " ".join(filter(None, [f"on {parts}" if parts else "", in_months]))


def _days_of_month(days: DaysOfMonth) -> list[str]:
    weekday = "the weekday (Monday to Friday) nearest to "
    found = [f"day{'s' if len(days.days) > 1 else ''} {_ranges(sorted(days.days), 31, first=1)}"] if days.days else []
    found += [_from_last(before) for before in sorted(days.from_last)]
    found += [f"{weekday}day {day}" for day in sorted(days.nearest)]
    found += [weekday + _from_last(before) for before in sorted(days.nearest_from_last)]
    return [f"{text} of the month" for text in found]


def _from_last(before: int) -> str:
    return f"the day that is {before} before the last" if before else "the last day"


def _weekdays(days: Weekdays) -> list[str]:
    found = [weekdays_in_words((day - 1) % 7 for day in days.days)] if days.days else []
    found += [f"the {_NUMBERS[number - 1]} {WEEKDAYS[day]} of the month" for day, number in sorted(days.nth)]
    return found + [f"the last {WEEKDAYS[day]} of the month" for day in sorted(days.last)]


def weekdays_in_words(days: Iterable[int]) -> str:
    """Return weekdays in words, such as `Monday to Friday`.

    Args:
        days: The weekdays, 0 for Monday, so that Saturday and Sunday are neighbors; at least one.
    """
    return _ranges(sorted(days), 7, [*WEEKDAYS[1:], WEEKDAYS[0]], wraps=True)


def _ranges(ordered: Sequence[int], size: int, names: Sequence[str] = (), first: int = 0, wraps: bool = False) -> str:
    """Return values with three or more neighbors as ranges.

    Args:
        ordered: The values.
        size: Number of all values.
        names: Names of all values; none for numbers.
        first: The first possible value.
        wraps: Whether a range may go over the end, as in `Friday to Monday`. A range of hours may not: `22 to 6 on
            Friday` would seem to be the night to Saturday, but it is the beginning and the end of Friday.
    """
    runs: list[list[int]] = []
    for value in ordered:
        if runs and value == runs[-1][-1] + 1:
            runs[-1].append(value)
        else:
            runs.append([value])
    is_wrapped = len(runs) > 1 and runs[0][0] == first and runs[-1][-1] == first + size - 1
    if wraps and is_wrapped and len(runs[0]) + len(runs[-1]) > 2:
        runs.append([*runs.pop(), *runs.pop(0)])

    def name(value: int) -> str:
        return names[value - first] if names else str(value)

    steps = {later - earlier for earlier, later in pairwise(ordered)}
    if len(ordered) > _MAX_TIMES and len(steps) == 1 and steps != {1}:
        return f"{name(ordered[0])} to {name(ordered[-1])} in steps of {steps.pop()}"
    texts: list[str] = []
    for run in runs:
        texts += [f"{name(run[0])} to {name(run[-1])}"] if len(run) > 2 else [name(value) for value in run]
    return joined(texts)


def _or(texts: Sequence[str]) -> str:
    return " or ".join(texts)
