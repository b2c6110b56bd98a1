"""Finds the lines of a valid spec that are not due, or will not be due any more, and says why."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime

from financehub_shared.core.durations import DAY_SECONDS
from financehub_shared.recurrence.calendar import WARN_DAYS, Calendar, CalendarHorizonError
from financehub_shared.recurrence.diagnosis import problems
from financehub_shared.recurrence.interval import Interval
from financehub_shared.recurrence.recurrence import Recurrence
from financehub_shared.recurrence.rules import Rule

_REMEDY = "install a release of FinanceHub with newer calendars, or run `make calendars`"


def due_warnings(recurrence: Recurrence, now: float) -> Iterator[str]:
    """Yield a sentence for each reason for which nothing is due from a time on.

    A schedule of which nothing is due, and which is not suspended, has at least one.

    Args:
        recurrence: The recurrence of the schedule. That of a follower has no rules.
        now: The time, Unix seconds.
    """
    calendar = _first_to_end(recurrence)
    if recurrence.end is not None and recurrence.end < now:
        yield (
            f"spec.endTime: {_time(recurrence.end)} is in the past, so nothing is due any more; write a later time, or "
            "remove it"
        )
        return
    if calendar is not None and recurrence.start is not None and recurrence.start >= calendar.end:
        yield (
            f"spec.startTime: {_time(recurrence.start)} is too late, because calendar {calendar.name} is known until "
            f"{_end(calendar)}, and nothing is due after that; write an earlier time, or {_REMEDY}"
        )
        return
    ends_soon = calendar is not None and calendar.end - now < WARN_DAYS * DAY_SECONDS
    if calendar is not None and ends_soon:
        yield f"calendar {calendar.name} is known until {_end(calendar)}, and nothing is due after that; {_REMEDY}"
    for rule in _rules_that_may_end(recurrence):
        line = recurrence if len(recurrence.rules) == 1 else replace(recurrence, rules=(rule,))
        if line.calendar is not None or line.exclusions:
            explained = problems(line)
            yield from explained
            if explained:
                continue
        try:
            if line.next_after(now) is None:
                yield f"spec.schedule: {rule.text!r} has no due time {_bounds(recurrence, now)}"
        except CalendarHorizonError:
            if calendar is not None and not ends_soon:
                yield (
                    f"spec.schedule: {rule.text!r} has no due time until {_end(calendar)}, and calendar "
                    f"{calendar.name} is known only until then; change the line, or {_REMEDY}"
                )


def _rules_that_may_end(recurrence: Recurrence) -> Sequence[Rule]:
    """Return the lines that need a closer look. An interval without limits is always due again."""
    if recurrence.calendar is not None or recurrence.exclusions or recurrence.end is not None:
        return recurrence.rules
    return [rule for rule in recurrence.rules if not isinstance(rule, Interval)]


def _bounds(recurrence: Recurrence, now: float) -> str:
    """Return between which times nothing is due, and what to write."""
    start, end = recurrence.start, recurrence.end
    if end is not None and start is not None and start > now:
        return f"between startTime {_time(start)} and endTime {_time(end)}; change the line or these times"
    if end is not None:
        return f"until endTime {_time(end)}; write a later endTime, or change the line"
    return "any more; change the line" if start is None else "after startTime; change the line or startTime"


def _first_to_end(recurrence: Recurrence) -> Calendar | None:
    """Return the calendar of the schedule and of its exclusions that is known for the shortest time."""
    calendars = [recurrence.calendar, *(exclusion.holidays for exclusion in recurrence.exclusions)]
    return min((each for each in calendars if each is not None), key=lambda each: each.end, default=None)


def _end(calendar: Calendar) -> date:
    return datetime.fromtimestamp(calendar.end, UTC).date()


def _time(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat()
