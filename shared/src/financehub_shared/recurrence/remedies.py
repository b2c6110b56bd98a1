"""What to write instead of a line at whose due times its calendar is always closed.

Each proposal is tried before it is made, because one that does not help either costs the user another attempt.
"""

from dataclasses import replace

from financehub_shared.core.durations import HOUR_SECONDS
from financehub_shared.recurrence.calendar import Calendar, CalendarHorizonError
from financehub_shared.recurrence.cron import Cron
from financehub_shared.recurrence.interval import Interval, duration_of, parse_interval
from financehub_shared.recurrence.recurrence import Recurrence
from financehub_shared.recurrence.rules import Rule


def closed_remedy(line: Recurrence, calendar: Calendar) -> str:
    """Return what to write instead of a line that is never due because its calendar is closed.

    Args:
        line: The recurrence with this line only.
        calendar: Its calendar.
    """
    (rule,) = line.rules
    if isinstance(rule, Interval):
        # The time zone has no effect on an interval.
        moved = _moved(rule, int(line.start or 0), calendar)
        if moved is not None and _is_open(line, moved):
            return f"write {moved.text!r}"
        return "write an offset or a startTime with which the interval meets these hours"
    found = []
    if isinstance(rule, Cron):
        on_these_days = _is_open(line, rule.changed(line.zone, whole_day=True))
        found.append("write a time within these hours" if on_these_days else "write other days")
        if line.zone.key != calendar.zone.key and _is_open(line, rule.changed(calendar.zone)):
            found.append(f"set timeZone: {calendar.zone.key}")
    return ", ".join(found)


def _is_open(line: Recurrence, rule: Rule) -> bool:
    """Whether the calendar of a line is open at any due time of another rule."""
    tried = replace(line, rules=(rule,), start=None, end=None, exclusions=())
    first, end = tried.coverage()
    try:
        due = tried.next_after(first)
    except CalendarHorizonError:
        return False
    return due is not None and due < end


def _moved(rule: Interval, anchor: int, calendar: Calendar) -> Interval | None:
    """Return the interval with an offset with which it is due in the middle of a session, at a full hour if possible.

    Args:
        rule: The interval.
        anchor: Time from which it counts without an offset, Unix seconds.
        calendar: The calendar.
    """
    begin, end = calendar.opens[-1], calendar.closes[-1]
    middle = (begin + end) // 2
    hour = middle // HOUR_SECONDS * HOUR_SECONDS
    offset = ((hour if hour >= begin else middle) - anchor) % rule.seconds
    if offset == 0:
        return None
    return parse_interval(f"{' '.join(rule.text.split()[:2])} offset {duration_of(offset)}", anchor)
