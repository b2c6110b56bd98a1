"""Finds the lines of a schedule that can never be due, and says why.

A line that names no day at all, such as 31 February, is refused when it is parsed. The lines that are found here are
valid, but the calendar or the exclusions of the schedule remove all of their due times.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

from financehub_shared.core.durations import DAY_SECONDS, MINUTE_SECONDS
from financehub_shared.recurrence.calendar import Calendar, CalendarHorizonError, DistantDueTimeError
from financehub_shared.recurrence.exclusions import WEEKDAYS
from financehub_shared.recurrence.recurrence import Recurrence
from financehub_shared.recurrence.remedies import closed_remedy
from financehub_shared.recurrence.rules import Rule
from financehub_shared.recurrence.search import Steps
from financehub_shared.recurrence.sessions import SessionEdge

#: Minutes of a line from which its hours are read, and the most hours that a sentence names.
_DUE_TIMES, _NAMED = 100, 4
#: A line with fewer due times than this in the years of a calendar may be due in another year.
_FEW = 100
#: Due times in a year from which on a line on one or two weekdays is a line for these weekdays.
_WEEKS = 10
#: Beginning of these due times. Any year with the present rules for clock changes is good.
_SAMPLE = datetime(2026, 1, 1, tzinfo=UTC).timestamp()
#: Time from which on it is searched whether a line is ever due. Earlier due times cannot run any more.
_EARLIEST = datetime(2025, 1, 1, tzinfo=UTC).timestamp()


def problems(recurrence: Recurrence) -> list[str]:
    """Return one sentence for each line of a schedule that can never be due, with the reason and the remedy.

    Args:
        recurrence: The recurrence of the schedule.
    """
    found: list[str] = []
    steps = Steps()
    for rule in recurrence.rules:
        line = replace(recurrence, rules=(rule,))
        try:
            found.extend(_problem(line, recurrence, steps))
        except DistantDueTimeError as error:
            day = datetime.fromtimestamp(error.searched, UTC).date()
            found.append(
                f"{rule.text!r} may never be due: none of its due times until {day} stays, and the search has ended "
                "there; later lines are not checked; change the line, or the calendar or the entries of exclude"
            )
            break
    return found


def _problem(line: Recurrence, recurrence: Recurrence, steps: Steps) -> Iterator[str]:
    """Yield why a line can never be due.

    Args:
        line: The recurrence with this line only.
        recurrence: The recurrence of the schedule.
        steps: The steps that the searches for all lines may take together.
    """
    (rule,) = line.rules
    if recurrence.calendar is not None and not _is_ever_due(
        replace(line, start=None, end=None, exclusions=()), steps=steps
    ):
        yield _never_open(line, recurrence.calendar)
    elif not _is_ever_due(line, steps=steps) and _is_ever_due(replace(line, exclusions=()), recurrence, steps=steps):
        hours = "" if isinstance(rule, SessionEdge) else _hours(rule, recurrence.zone)
        yield (
            f"{rule.text!r} is never due, because exclude removes all of its due times{_years(line)}{hours}; "
            "change the line or the entries of exclude"
        )


def _is_ever_due(recurrence: Recurrence, covered: Recurrence | None = None, *, steps: Steps) -> bool:
    """Whether a recurrence has a due time within the range that all calendars cover.

    Args:
        recurrence: The recurrence.
        covered: The recurrence whose calendars count; None for the same one.
        steps: The steps that the search may take.

    Raises:
        DistantDueTimeError: The steps have ended before the answer was found.
    """
    first, end = (covered or recurrence).coverage()
    try:
        due = recurrence.next_after(max(first, _EARLIEST), steps)
    except DistantDueTimeError:
        raise
    except CalendarHorizonError:
        return False
    return due is not None and due < end


def _has_calendar(line: Recurrence) -> bool:
    return line.calendar is not None or any(exclusion.holidays for exclusion in line.exclusions)


def _years(line: Recurrence) -> str:
    """Return the years that the calendars of a line cover, if the line has so few due times that others may differ."""
    first, end = line.coverage()
    if not _has_calendar(line) or isinstance(line.rules[0], SessionEdge):
        return ""
    if Recurrence(line.rules).count(first, end, _FEW) == _FEW:
        return ""
    # The zone of an exchange is less than two days from UTC.
    years = (datetime.fromtimestamp(edge, UTC).year for edge in (first + 2 * DAY_SECONDS, end - 2 * DAY_SECONDS))
    return " from {} to {}".format(*years)


def _never_open(line: Recurrence, calendar: Calendar) -> str:
    (rule,), zone = line.rules, line.zone
    return (
        f"{rule.text!r} is never due, because {calendar.name} is closed at all of its due times{_years(line)}"
        f"{_hours(rule, zone)}; "
        f"it is open {_sessions(calendar, zone)}: {closed_remedy(line, calendar)}, or remove calendar"
    )


def _hours(rule: Rule, zone: ZoneInfo) -> str:
    """Return the times of a line, such as ` (03:00 and 04:00 UTC)`, or an empty text if they are many."""
    moments: list[datetime] = []
    clocks = set()
    due = rule.next_after(_SAMPLE)
    while due is not None and due <= _SAMPLE + 366 * DAY_SECONDS and len(moments) < _DUE_TIMES:
        moments.append(datetime.fromtimestamp(due, zone))
        clocks.add((moments[-1].hour, moments[-1].minute))
        if len(clocks) > _NAMED:
            return ""
        # Each minute counts once.
        due = rule.next_after(due // MINUTE_SECONDS * MINUTE_SECONDS + MINUTE_SECONDS - 1)
    days = {moment.weekday() for moment in moments}
    times = [f"{hour:02}:{minute:02}" for hour, minute in sorted(clocks)]
    if not times:
        return ""
    # The weekdays of a line for a day of the year are accidental.
    named = len(days) <= 2 and len(moments) >= _WEEKS
    on = f"{' and '.join(WEEKDAYS[day] for day in sorted(days))} " if named else ""
    return f" ({on}{' and '.join(times)} {zone.key})"


@lru_cache(maxsize=64)
def _sessions(calendar: Calendar, zone: ZoneInfo) -> str:
    """Return the usual hours of the sessions in a zone, such as `from 09:30 to 16:00 America/New_York`."""
    hours = Counter(
        f"from {_clock(begin, zone, days)} to {_clock(end, zone, days)}"
        for begin, end in zip(calendar.opens, calendar.closes, strict=True)
        for days in [end - begin > DAY_SECONDS]
    )
    # Early closes and other special hours are rare.
    usual = sorted(text for text, number in hours.items() if number * 10 >= len(calendar.opens))
    return f"{' or '.join(usual)} {zone.key}"


def _clock(at: int, zone: ZoneInfo, with_day: bool) -> str:
    moment = datetime.fromtimestamp(at, zone)
    return f"{WEEKDAYS[moment.weekday()]} {moment:%H:%M}" if with_day else f"{moment:%H:%M}"
