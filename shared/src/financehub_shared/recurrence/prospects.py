"""Which parts of a week a line may be due in, whatever the date is.

If none of these parts is open and free of exclusions, the search for a due time need not look at each day.
"""

from functools import lru_cache
from math import gcd

from financehub_shared.core.durations import DAY_SECONDS, WEEK_SECONDS
from financehub_shared.recurrence.calendar import Calendar
from financehub_shared.recurrence.cron import Cron
from financehub_shared.recurrence.interval import Interval
from financehub_shared.recurrence.rules import Rule
from financehub_shared.recurrence.zone_changes import ZoneClock

#: Local time 0 was a Thursday. Weeks begin on Monday here.
_MONDAY = 3 * DAY_SECONDS
#: Sessions that are longer are not examined.
_STEADY = 3 * DAY_SECONDS


def may_be_due(rule: Rule, begin: int, end: int, offset: int) -> bool:
    """Whether a line may be due in a part of a local week.

    A cron expression is due at another local time only at the end of a gap, at which the offset of the zone changes.

    Args:
        rule: The line.
        begin: Beginning of the part, in seconds from Monday on.
        end: End of the part, exclusive. It may be in the next week.
        offset: Seconds that the local time is ahead of UTC.
    """
    if isinstance(rule, Interval):
        step = gcd(rule.seconds, WEEK_SECONDS)
        return begin + (rule.anchor + offset + _MONDAY - begin) % step < end
    if not isinstance(rule, Cron):
        return True
    while begin < end:
        day, second = divmod(begin, DAY_SECONDS)
        if rule.is_due_on(day % 7, second, min(end - day * DAY_SECONDS, DAY_SECONDS)):
            return True
        begin = (day + 1) * DAY_SECONDS
    return False


@lru_cache(maxsize=256)
def promising_opens(
    rule: Rule, calendar: Calendar, clock: ZoneClock, free: tuple[tuple[int, int], ...] | None
) -> tuple[int, ...]:
    """Return the beginnings of the sessions in which a line may be due, ascending.

    Args:
        rule: The line.
        calendar: The calendar of the sessions.
        clock: Clock of the line and of `free`.
        free: Parts of the local week that are not excluded, in seconds from Monday on; None for the whole week.
    """
    found: list[int] = []
    for part, opens in _parts(calendar, clock).items():
        if part is None:
            found.extend(opens)
            continue
        begin, end, offset = part
        pieces = [(begin, end)]
        if free is not None:
            weeks = [(first + week, last + week) for week in (0, WEEK_SECONDS) for first, last in free]
            pieces = [(max(begin, first), min(end, last)) for first, last in weeks if first < end and begin < last]
        if any(may_be_due(rule, first, last, offset) for first, last in pieces):
            found.extend(opens)
    return tuple(sorted(found))


@lru_cache(maxsize=64)
def _parts(calendar: Calendar, clock: ZoneClock) -> dict[tuple[int, int, int] | None, list[int]]:
    """Return the sessions by their part of the local week and its offset, and those at a clock change as None."""
    found: dict[tuple[int, int, int] | None, list[int]] = {}
    for begin, end in zip(calendar.opens, calendar.closes, strict=True):
        offset = clock.section(begin)[0]
        first = (begin + offset + _MONDAY) % WEEK_SECONDS
        # Two changes of a zone are at least four days apart, so three days with the same offset at both ends have none.
        steady = end - begin < _STEADY and all(clock.section(edge)[0] == offset for edge in (begin - 1, end))
        found.setdefault((first, first + end - begin, offset) if steady else None, []).append(begin)
    return found
