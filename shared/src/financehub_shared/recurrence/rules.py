"""The rules of a recurrence: cron expressions in a time zone, and intervals."""

import copy
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Protocol
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

from financehub_shared.core.durations import DAY_SECONDS, parse_duration

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
_LONGEST_INTERVAL = 366 * DAY_SECONDS


class Rule(Protocol):
    """One cron expression or interval of a schedule."""

    def next_after(self, time: float) -> int | None:
        """Return the first due time after `time`, or None if there is none for 50 years."""
        ...


@dataclass(frozen=True, slots=True)
class Interval:
    """A fixed interval, counted from an anchor so that all schedulers compute the same times without coordination.

    Args:
        seconds: Length of the interval.
        anchor: One due time, Unix seconds; 0 unless the schedule has a start time.
    """

    seconds: int
    anchor: int = 0

    def next_after(self, time: float) -> int:
        return self.anchor + (int((time - self.anchor) // self.seconds) + 1) * self.seconds


class Cron:
    """A five-field cron expression in a time zone, evaluated by cronsim.

    If the clocks skip a fixed time in spring, it runs at the end of the gap. If they repeat one in autumn, it runs
    once.
    """

    __slots__ = ("_parsed", "_zone")

    def __init__(self, expression: str, zone: ZoneInfo) -> None:
        self._zone = zone
        # Parsed once. Copies share the field sets and differ only in their position.
        self._parsed = CronSim(expression, datetime(2000, 1, 1, tzinfo=UTC if zone.key == "UTC" else zone))

    def next_after(self, time: float) -> int | None:
        cursor = copy.copy(self._parsed)
        # cronsim steps by whole seconds. If cronsim handles DST itself, it works in naive local time.
        start = datetime.fromtimestamp(int(time // 1), self._parsed.fixup_tz or self._parsed.dt.tzinfo)
        cursor.dt = start.replace(tzinfo=None) if self._parsed.fixup_tz else start
        try:
            for due in cursor:
                stamp = int(due.timestamp())
                # In the repeated hour in autumn, cronsim returns the first occurrence, which is in the past.
                if stamp > time:
                    return stamp
        except OverflowError:
            # cronsim has searched beyond the year 9999.
            pass
        return None


@lru_cache(maxsize=4_096)  # thousands of schedules share few expressions, each parsed twice
def parse_rule(expression: str, zone: ZoneInfo, anchor: int = 0, *, day_match: str = "Any") -> Rule:
    """Parse one expression of a schedule.

    Args:
        expression: Five cron fields, an alias such as `@hourly`, or an interval such as `@every 1h30m`.
        zone: Time zone of the cron fields.
        anchor: Time from which intervals are counted, Unix seconds.
        day_match: How day of month and weekday combine if both are restricted: `Any` or `All`.

    Raises:
        ValueError: The expression is invalid. The message states the problem and the fix.
    """
    if day_match != "Any":
        raise ValueError(f"dayMatch {day_match!r} is not supported yet")
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
        raise ValueError(f"{text!r} never comes, because no such day exists; change the day or the month")
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
    return f"use {ranges.get(problem, 'five cron fields')}, with * , - and / as operators"


def _parse_interval(text: str) -> int:
    match = _EVERY.fullmatch(text)
    if not match:
        raise ValueError(f"{text!r} is not an interval; write it like '@every 90s', '@every 5m' or '@every 1h30m'")
    seconds = parse_duration(match[1])
    if not 1 <= seconds <= _LONGEST_INTERVAL:
        raise ValueError(
            f"{text!r} is {seconds:.0f} s; an interval must be between 1 s and {_LONGEST_INTERVAL // DAY_SECONDS} days"
        )
    return int(seconds)


def parse_zone(name: str) -> ZoneInfo:
    """Return an IANA time zone by name.

    Raises:
        ValueError: There is no such time zone.
    """
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"{name!r} is not an IANA time zone; write one like 'UTC' or 'Europe/Berlin'") from None
