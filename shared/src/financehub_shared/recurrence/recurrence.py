"""The recurrence of a schedule: the due times of its rules within its limits, its calendar and its exclusions.

Due times are whole Unix seconds. A run's due time is part of its identity, so all schedulers must compute the same due
times.
"""

import hashlib
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from financehub_shared.core.durations import DAY_SECONDS, HOUR_SECONDS, MINUTE_SECONDS, WEEK_SECONDS
from financehub_shared.recurrence.calendar import Calendar, CalendarHorizonError
from financehub_shared.recurrence.exclusions import Exclusion
from financehub_shared.recurrence.interval import Interval
from financehub_shared.recurrence.rules import Rule
from financehub_shared.recurrence.sessions import SessionEdge

_UTC = ZoneInfo("UTC")
#: Windows that are searched backward for the newest due times, shortest first. For frequent schedules, the first
#: windows are enough.
_WINDOWS = (
    *(MINUTE_SECONDS, 10 * MINUTE_SECONDS, HOUR_SECONDS, 6 * HOUR_SECONDS),
    *(DAY_SECONDS, WEEK_SECONDS, 31 * DAY_SECONDS, 366 * DAY_SECONDS),
)
#: The range of Python's dates, less one day for time zones. A due time outside of this range could not be displayed.
_FIRST, _LAST = datetime(1, 1, 2, tzinfo=UTC).timestamp(), datetime(9999, 12, 30, tzinfo=UTC).timestamp()
#: A rule that has no due time in an open session after this many attempts never will.
_MAX_CALENDAR_ATTEMPTS = 1_000
#: Years without a due time that is not excluded, after which a rule never has one. The days of a rule on one weekday
#: are at most 40 years apart.
_MAX_EXCLUDED = 50 * 366 * DAY_SECONDS


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
    #: Rule → time after which the exclusions leave none of its due times, because that takes long to find out.
    _never: dict[Rule, float] = field(default_factory=dict, init=False, repr=False, compare=False)

    def next_after(self, time: float) -> int | None:
        """Return the first due time after `time`, or None if there is none.

        Raises:
            CalendarHorizonError: The next due time is beyond the end of a calendar.
        """
        if self.start is not None and time < self.start:
            time = self.start - 1 if self.start == int(self.start) else self.start
        time = max(time, _FIRST)
        if time > _LAST:
            return None
        found: int | None = None
        unknown: CalendarHorizonError | None = None
        for rule in self.rules:
            try:
                due = self._next_of(rule, time)
            except CalendarHorizonError as error:
                unknown = error
                continue
            if due is not None and (found is None or due < found):
                found = due
        if unknown is not None:
            first, end = self.coverage()
            # The other rule is due at the end of the calendar or later.
            if time < first or found is None or found >= end:
                raise unknown
        return found

    @property
    def _limited(self) -> bool:
        return self.calendar is not None or bool(self.exclusions)

    def _next_of(self, rule: Rule, time: float) -> int | None:
        """Return the first due time of one rule after `time`, or None if there is none."""
        last = _LAST if self.end is None else min(self.end, _LAST)
        calendar = None if isinstance(rule, SessionEdge) else self.calendar
        if self.exclusions and time >= self._never.get(rule, math.inf):
            return None
        begin, attempts, given_up = time, 0, math.inf
        while True:
            due = rule.next_after(time)
            if due is None or due > last:
                return None
            if due > given_up:
                self._never[rule] = begin
                return None
            if calendar is not None and not calendar.is_open(due):
                attempts += 1
                if attempts == _MAX_CALENDAR_ATTEMPTS:
                    return None
                # Jump to the next session, because a weekend without trading has thousands of minutes.
                time = max(due, calendar.next_open(due) - 1)
                continue
            until = self._excluded_until(due)
            if until is None:
                return due
            if given_up == math.inf:
                given_up = max(time, *(each.last_date or time for each in self.exclusions)) + _MAX_EXCLUDED
            time = max(due, until - 1)

    def _excluded_until(self, due: int) -> int | None:
        """Return a later instant until which nothing is due, or None if the instant is not excluded."""
        for exclusion in self.exclusions:
            until = exclusion.until(due)
            if until is not None:
                return until
        return None

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
        return self._excluded_until(int(time // 1)) is None

    def due_times(self, after: float, until: float) -> Iterator[int]:
        """Yield the due times in (after, until] in ascending order."""
        try:
            due = self.next_after(after)
            while due is not None and due <= until:
                yield due
                due = self.next_after(due)
        except CalendarHorizonError:
            # The calendar covers the range, so only a due time beyond the range can be unknown.
            first, end = self.coverage()
            if until >= end or after < first:
                raise

    def newest(self, count: int, after: float, until: float) -> list[int]:
        """Return the last `count` due times in (after, until] in ascending order, without computing all of them."""
        found: list[int] = []
        for window in (*_WINDOWS, until - after):
            begin = max(after, until - window)
            found = list(self.due_times(begin, until))
            if len(found) >= count or begin == after:
                break
        return found[-count:]

    def count(self, after: float, until: float, limit: int) -> int:
        """Return the number of due times in (after, until], counted up to `limit`."""
        if len(self.rules) == 1 and not self._limited and isinstance(rule := self.rules[0], Interval):
            first = self.next_after(after)
            last = min(until, self.end if self.end is not None else until)
            return 0 if first is None or first > last else min(limit, int((last - first) // rule.seconds) + 1)
        total = 0
        for _ in self.due_times(after, until):
            total += 1
            if total == limit:
                break
        return total
