"""When is a schedule due? Pure: times in, times out.

Due times are whole Unix seconds; a schedule's due time is also the identity of the run.
"""

import copy
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Protocol
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

from financehub_scheduler.recurrence.calendar import Calendar, CalendarHorizonError

ALIASES = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
_EVERY = re.compile(r"@every\s+((?:\d+[dhms])+)")
_UNITS = {"d": 86_400, "h": 3_600, "m": 60, "s": 1}
_LONGEST_INTERVAL = 366 * 86_400
#: Ways to look back for the newest due times, shortest first: a look back costs little when the schedule is frequent.
_WINDOWS = (60, 600, 3_600, 6 * 3_600, 86_400, 7 * 86_400, 31 * 86_400, 366 * 86_400)
#: Python's dates, less a day for the zones; no due time is outside, since nothing could show it.
_FIRST, _LAST = datetime(1, 1, 2, tzinfo=UTC).timestamp(), datetime(9999, 12, 30, tzinfo=UTC).timestamp()
#: A rule that finds no open session in so many tries never meets its calendar.
_CALENDAR_TRIES = 1_000


class Rule(Protocol):
    """One line of a schedule."""

    def next_after(self, time: float) -> int | None:
        """The first due time after `time`, or None when there is none for 50 years."""
        ...


@dataclass(frozen=True, slots=True)
class Interval:
    """Every `seconds`, counted from `anchor`: every scheduler comes to the same times without talking.

    Args:
        seconds: length of the interval.
        anchor: Unix seconds of one due time; 0 unless the schedule has a start.
    """

    seconds: int
    anchor: int = 0

    def next_after(self, time: float) -> int:
        return self.anchor + (int((time - self.anchor) // self.seconds) + 1) * self.seconds


class Cron:
    """A five-field cron expression in a time zone, by cronsim.

    In spring a fixed time that does not exist runs at the end of the gap; in autumn one that exists twice runs once.
    """

    __slots__ = ("_parsed", "_zone")

    def __init__(self, expression: str, zone: ZoneInfo) -> None:
        self._zone = zone
        # Parsed once: copies share the field sets, and only their position differs.
        self._parsed = CronSim(expression, datetime(2000, 1, 1, tzinfo=UTC if zone.key == "UTC" else zone))

    def next_after(self, time: float) -> int | None:
        cursor = copy.copy(self._parsed)
        # cronsim steps whole seconds, and works in naive local time where it treats DST itself
        start = datetime.fromtimestamp(int(time // 1), self._parsed.fixup_tz or self._parsed.dt.tzinfo)
        cursor.dt = start.replace(tzinfo=None) if self._parsed.fixup_tz else start
        try:
            for due in cursor:
                stamp = int(due.timestamp())
                # Within the repeated hour of autumn cronsim names the first pass, which is over.
                if stamp > time:
                    return stamp
        except OverflowError:
            # cronsim has looked beyond the year 9999
            pass
        return None


@lru_cache(maxsize=4_096)  # thousands of schedules share a few lines, and each line is read to check it and to run it
def parse_rule(expression: str, zone: ZoneInfo, anchor: int = 0) -> Rule:
    """Read one schedule line.

    Args:
        expression: five-field cron, `@hourly` and the like, or `@every 1h30m`.
        zone: where the cron fields are read.
        anchor: Unix seconds from which intervals count.

    Raises:
        ValueError: what is wrong and how to mend it.
    """
    text = expression.strip()
    if text.startswith("@every"):
        return Interval(_parse_interval(text), anchor)
    if text.startswith("@") and text not in ALIASES:
        raise ValueError(f"{text!r} is unknown; use one of {', '.join(ALIASES)}, '@every 5m' or five cron fields")
    fields = ALIASES.get(text, text)
    if len(fields.split()) != 5:
        raise ValueError(
            f"{text!r} has {len(fields.split())} fields; cron takes five: minute, hour, day of month, month, weekday"
        )
    try:
        rule = Cron(fields, zone)
    except CronSimError as error:
        raise ValueError(f"{text!r}: {error}; {_cron_hint(str(error))}") from None
    if rule.next_after(0) is None:
        raise ValueError(f"{text!r} never comes; no such day exists")
    return rule


def _cron_hint(problem: str) -> str:
    if problem == "Bad day-of-month":
        return "days go from 1 to 31, and at least one of the months must have that day (31 February never comes)"
    ranges = {
        "Bad minute": "0-59",
        "Bad hour": "0-23",
        "Bad month": "1-12 or JAN-DEC",
        "Bad day-of-week": "0-7 or SUN-SAT",
    }
    return f"allowed are {ranges.get(problem, 'five cron fields')}, with * , - and /"


def _parse_interval(text: str) -> int:
    match = _EVERY.fullmatch(text)
    if not match:
        raise ValueError(f"{text!r} is not an interval; write it like '@every 90s', '@every 5m' or '@every 1h30m'")
    seconds = sum(int(number) * _UNITS[unit] for number, unit in re.findall(r"(\d+)([dhms])", match[1]))
    if not 1 <= seconds <= _LONGEST_INTERVAL:
        raise ValueError(f"{text!r} is {seconds} s; an interval is between 1 s and {_LONGEST_INTERVAL // 86_400} days")
    return seconds


def parse_zone(name: str) -> ZoneInfo:
    """IANA time zone by name.

    Raises:
        ValueError: there is no such zone.
    """
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"{name!r} is not an IANA time zone; write one like 'UTC' or 'Europe/Berlin'") from None


def jitter_offset(uid: str, jitter_seconds: int) -> float:
    """The schedule's own delay in [0, jitter_seconds), the same on every scheduler and every day."""
    if jitter_seconds == 0:
        return 0.0
    digest = hashlib.blake2b(uid.encode(), digest_size=8).digest()
    return int.from_bytes(digest) % (jitter_seconds * 1000) / 1000


@dataclass(frozen=True, slots=True)
class Timing:
    """The due times of one schedule: its rules united, inside its limits, while its exchange is open.

    Args:
        rules: a time that several rules name is due once.
        calendar: exchange whose sessions the due times must fall into; None: always open.
        start, end: Unix seconds between which (inclusive) it is due; None: open-ended.
        offset: seconds after the due time at which the run is enqueued (jitter); no part of its identity.
    """

    rules: tuple[Rule, ...]
    calendar: Calendar | None = None
    start: float | None = None
    end: float | None = None
    offset: float = 0.0

    def next_after(self, time: float) -> int | None:
        """The first due time after `time`; None: there is none.

        Raises:
            CalendarHorizonError: the answer lies beyond what the calendar knows.
        """
        if self.start is not None and time < self.start:
            time = self.start - 1 if self.start == int(self.start) else self.start
        time = max(time, _FIRST)
        if time > _LAST:
            return None
        for _ in range(_CALENDAR_TRIES):
            due = min((found for rule in self.rules if (found := rule.next_after(time)) is not None), default=None)
            if due is None or due > _LAST or (self.end is not None and due > self.end):
                return None
            if self.calendar is None or self.calendar.is_open(due):
                return due
            # Straight to the next session: a closed week-end is thousands of minutes.
            time = max(due, self.calendar.next_open(due) - 1)
        return None

    def due_times(self, after: float, until: float) -> Iterator[int]:
        """Due times in (after, until], ascending."""
        try:
            due = self.next_after(after)
            while due is not None and due <= until:
                yield due
                due = self.next_after(due)
        except CalendarHorizonError:
            # beyond what the calendar knows lies nothing of the range, unless the range reaches there itself
            if self.calendar is None or until >= self.calendar.end or after < self.calendar.first:
                raise

    def newest(self, count: int, after: float, until: float) -> list[int]:
        """The last `count` due times in (after, until], ascending, without walking through all of them."""
        found: list[int] = []
        for window in (*_WINDOWS, until - after):
            begin = max(after, until - window)
            found = list(self.due_times(begin, until))
            if len(found) >= count or begin == after:
                break
        return found[-count:]

    def count(self, after: float, until: float, limit: int) -> int:
        """How many due times lie in (after, until], counted up to `limit`."""
        if len(self.rules) == 1 and self.calendar is None and isinstance(rule := self.rules[0], Interval):
            first = self.next_after(after)
            last = min(until, self.end if self.end is not None else until)
            return 0 if first is None or first > last else min(limit, int((last - first) // rule.seconds) + 1)
        total = 0
        for _ in self.due_times(after, until):
            total += 1
            if total == limit:
                break
        return total
