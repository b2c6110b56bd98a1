"""The lines of a schedule: cron expressions, their aliases, intervals, `@open` and `@close`."""

import re
from functools import lru_cache
from typing import Protocol
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from financehub_shared.recurrence.calendar import Calendar
from financehub_shared.recurrence.cron import Cron
from financehub_shared.recurrence.cron_fields import parse_fields
from financehub_shared.recurrence.interval import parse_interval
from financehub_shared.recurrence.sessions import CLOSE, OPEN, SessionEdge

ALIASES = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
_PLAIN = re.compile(r"[\x20-\x7e\t\n\r\f]*")
_DAY_MATCHES = ("Any", "All")


class Rule(Protocol):
    """One line of a schedule."""

    @property
    def text(self) -> str:
        """The line as written."""
        ...

    def next_after(self, time: float) -> int | None:
        """Return the first due time after `time`, or None if there is none for 50 years.

        Raises:
            CalendarHorizonError: The rule is `@open` or `@close`, and its calendar does not cover the due time.
        """
        ...


@lru_cache(maxsize=4_096)  # thousands of schedules share few lines, each parsed twice
def parse_rule(
    expression: str, zone: ZoneInfo, anchor: int = 0, *, day_match: str = "Any", calendar: Calendar | None = None
) -> Rule:
    """Parse one line of a schedule.

    Args:
        expression: Five or six cron fields, an alias such as `@hourly`, an interval such as `@every 1h30m`, `@open` or
            `@close`.
        zone: Time zone of the cron fields.
        anchor: Time from which intervals are counted, Unix seconds.
        day_match: How day of month and weekday combine if both are restricted: `Any` or `All`.
        calendar: Calendar of `@open` and `@close`, moved by `calendarOffsetSeconds`.

    Raises:
        ValueError: The line is invalid. The message says what was read, what is wrong and what to write.
    """
    if day_match not in _DAY_MATCHES:
        raise ValueError(f"dayMatch {day_match!r} is unknown; write Any or All")
    text = expression.strip(" \t\n\r\f")
    if not _PLAIN.fullmatch(text):
        raise ValueError(
            f"{text!r} has a character that no schedule has, such as a long dash or a special space; type it again "
            "with plain hyphens and spaces"
        )
    if text.startswith("@every"):
        return parse_interval(text, anchor)
    if text in {OPEN, CLOSE}:
        if calendar is None:
            raise ValueError(f"{text!r} needs a calendar; add one, such as calendar: XNYS")
        return SessionEdge(text, calendar)
    if text.startswith("@") and text not in ALIASES:
        if text.lower() in {*ALIASES, OPEN, CLOSE}:
            raise ValueError(f"{text!r} is unknown; write {text.lower()!r}")
        raise ValueError(
            f"{text!r} is unknown; use one of {', '.join(ALIASES)}, {OPEN}, {CLOSE}, '@every 5m' or five cron fields"
        )
    return Cron(text, parse_fields(ALIASES.get(text, text), day_match), zone)


def parse_zone(name: str) -> ZoneInfo:
    """Return an IANA time zone by name.

    Raises:
        ValueError: There is no such time zone.
    """
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"{name!r} is not an IANA time zone; write one like 'UTC' or 'Europe/Berlin'") from None
