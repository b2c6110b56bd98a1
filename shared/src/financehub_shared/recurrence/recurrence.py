"""The recurrence of a schedule: the due times of its rules within its limits, its calendar and its exclusions.

Due times are whole Unix seconds. A run's due time is part of its identity, so all schedulers must compute the same due
times.
"""

import hashlib
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from zoneinfo import ZoneInfo

from financehub_shared.recurrence.calendar import Calendar
from financehub_shared.recurrence.cron import Cron
from financehub_shared.recurrence.excluded import Excluded, excluded_by
from financehub_shared.recurrence.exclusions import Exclusion
from financehub_shared.recurrence.interval import Interval
from financehub_shared.recurrence.rules import Rule
from financehub_shared.recurrence.search import MAX_STEPS, Search, Steps

_UTC = ZoneInfo("UTC")
#: Due times of a range from which on the newest ones are searched in its halves.
_LISTED = 8
#: The range of Python's dates, less one day for time zones. A due time outside of this range could not be displayed.
_FIRST, _LAST = datetime(1, 1, 2, tzinfo=UTC).timestamp(), datetime(9999, 12, 30, tzinfo=UTC).timestamp()


def jitter_offset(uid: str, jitter_seconds: int) -> float:
    """Return a schedule's constant delay in [0, jitter_seconds), which is the same on every scheduler."""
    if jitter_seconds == 0:
        return 0.0
    digest = hashlib.blake2b(uid.encode(), digest_size=8).digest()
    return int.from_bytes(digest) % (jitter_seconds * 1000) / 1000


@dataclass(frozen=True, slots=True)
class Recurrence:
    """The recurrence of one schedule: the union of its rules, within its limits and its calendar.

    Args:
        rules: The rules; none if the schedule runs after another one. A due time that several rules yield counts once.
        calendar: The exchange that has to be open at a due time, unless it is `@open` or `@close`; None for no
            restriction.
        start, end: First and last possible due time, Unix seconds; None for no limit.
        offset: Seconds after the due time at which the run is enqueued (jitter). It is not part of the run's identity.
        exclusions: Times at which nothing is due.
        zone: Time zone of the schedule, in which messages name times.
    """

    rules: tuple[Rule, ...]
    calendar: Calendar | None = None
    start: float | None = None
    end: float | None = None
    offset: float = 0.0
    exclusions: tuple[Exclusion, ...] = ()
    zone: ZoneInfo = _UTC
    #: All exclusions together; None if there are none.
    excluded: Excluded | None = field(init=False, repr=False, compare=False)
    #: The only rule, if nothing limits it. Most schedules have one, and it knows its next due time without a search.
    _only: Interval | Cron | None = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "excluded", excluded_by(self.exclusions) if self.exclusions else None)
        only = self.rules[0] if len(self.rules) == 1 and not self._limited else None
        object.__setattr__(self, "_only", only if isinstance(only, Interval | Cron) else None)

    def next_after(self, time: float, steps: Steps | None = None) -> int | None:
        """Return the first due time after `time`, or None if there is none.

        Args:
            time: Unix seconds.
            steps: The steps that the search may take; None for the usual number.

        Raises:
            CalendarHorizonError: The next due time is beyond the end of a calendar.
            DistantDueTimeError: The next due time was not found within the limit of steps.
        """
        if self._only is None:
            return next(self._search(time, _LAST, steps or Steps()), None)
        after, last = self._beginning(time), _LAST if self.end is None else min(self.end, _LAST)
        due = self._only.next_after(after) if after <= last else None
        return due if due is not None and due <= last else None

    @property
    def _limited(self) -> bool:
        return self.calendar is not None or bool(self.exclusions)

    def _search(self, after: float, until: float, steps: Steps) -> Iterator[int]:
        """Yield the due times in (after, until] in ascending order."""
        after, last = self._beginning(after), _LAST if self.end is None else min(self.end, _LAST)
        if after <= last:
            yield from Search(self, after, last, until, steps).due_times()

    def _beginning(self, after: float) -> float:
        """Return the time after which to search, which is not before the first possible due time."""
        if self.start is not None and after < self.start:
            after = self.start - 1 if self.start == int(self.start) else self.start
        return max(after, _FIRST)

    def coverage(self) -> tuple[float, float]:
        """Return the range that all calendars cover, Unix seconds; its end is exclusive."""
        calendars = [
            calendar
            for calendar in (self.calendar, *(exclusion.holidays for exclusion in self.exclusions))
            if calendar is not None
        ]
        return (
            max((calendar.first for calendar in calendars), default=_FIRST),
            min((calendar.end for calendar in calendars), default=_LAST),
        )

    def allows(self, time: float) -> bool:
        """Whether a run may be due at `time` by the limits, the calendar and the exclusions, whatever the rules are.

        Raises:
            CalendarHorizonError: A calendar does not cover `time`.
        """
        if (self.start is not None and time < self.start) or (self.end is not None and time > self.end):
            return False
        if self.calendar is not None and not self.calendar.is_open(time):
            return False
        return self.excluded is None or self.excluded.until(int(time // 1)) is None

    def due_times(self, after: float, until: float) -> Iterator[int]:
        """Yield the due times in (after, until] in ascending order.

        Raises:
            CalendarHorizonError: A calendar does not cover the range.
            DistantDueTimeError: The next due time was not found within the limit of steps.
        """
        steps = Steps()
        for due in self._search(after, until, steps):
            yield due
            steps.left = MAX_STEPS

    def newest(self, count: int, after: float, until: float) -> list[int]:
        """Return the last `count` due times in (after, until] in ascending order, without computing all of them.

        Raises:
            CalendarHorizonError: A calendar does not cover the range.
            DistantDueTimeError: The due times were not found within the limit of steps.
        """
        found: list[int] = []
        steps = Steps()
        # Due times are whole seconds, so the parts of the range begin and end at whole seconds.
        parts = [(math.floor(max(after, _FIRST)), math.floor(min(until, _LAST)))]
        while parts and len(found) < count:
            begin, end = parts.pop()
            listed = list(islice(self._search(begin, end, steps), _LISTED + 1)) if begin < end else []
            if len(listed) <= _LISTED or end - begin <= _LISTED:
                found.extend(reversed(listed))
            else:
                middle = (begin + end) // 2
                parts += [(begin, middle), (middle, end)]
        return found[:count][::-1]

    def count(self, after: float, until: float, limit: int) -> int:
        """Return the number of due times in (after, until], counted up to `limit`.

        Raises:
            CalendarHorizonError: A calendar does not cover the range.
            DistantDueTimeError: The due times were not found within the limit of steps.
        """
        if isinstance(rule := self._only, Interval):
            first = self.next_after(after)
            last = min(until, self.end if self.end is not None else until)
            return 0 if first is None or first > last else min(limit, int((last - first) // rule.seconds) + 1)
        return sum(1 for _ in islice(self._search(after, until, Steps(MAX_STEPS + limit)), limit))
