"""The lines of a schedule: cron expressions, their aliases, intervals, `@open` and `@close`."""

import re
from functools import lru_cache
from typing import Protocol
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from financehub_shared.core.durations import DAY_SECONDS
from financehub_shared.recurrence.calendar import Calendar
from financehub_shared.recurrence.cron import Cron
from financehub_shared.recurrence.cron_fields import parse_fields
from financehub_shared.recurrence.interval import near_interval, parse_interval, seconds_of_duration
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
#: Time zone at the beginning of an expression, as in other schedulers.
_ZONED = re.compile(r"(?:CRON_)?TZ=(\S*)\s*(.*)", re.IGNORECASE | re.DOTALL)
_MOVED_SESSION = re.compile(r"(@open|@close)\s*([+-])\s*([0-9dhms]+)", re.IGNORECASE)
_PLAIN = re.compile(r"[\x20-\x7e\t\n\r\f]*")
_DAY_MATCHES = ("Any", "All")


class Rule(Protocol):
    """One line of a schedule."""

    def __hash__(self) -> int: ...

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
    _check_zone(text)
    if text.startswith("@every"):
        return parse_interval(text, anchor)
    if text in {OPEN, CLOSE}:
        if calendar is None:
            raise ValueError(f"{text!r} needs a calendar; add one, such as calendar: XNYS")
        return SessionEdge(text, calendar)
    if text.startswith("@") and text not in ALIASES:
        raise _unknown(text)
    return Cron(text, parse_fields(ALIASES.get(text, text), day_match), zone)


def _check_zone(text: str) -> None:
    if zoned := _ZONED.fullmatch(text):
        raise ValueError(
            f"{text!r} begins with a time zone; write timeZone: {zoned[1] or 'Europe/Berlin'} and "
            f"schedule: {zoned[2] or '0 9 * * *'!r}"
        )


def _unknown(text: str) -> ValueError:
    """Return the error of a text that begins with `@` and is not a known line."""
    if text.lower() in {*ALIASES, OPEN, CLOSE}:
        return ValueError(f"{text!r} is unknown; write {text.lower()!r}")
    if text.lower().startswith("@every"):
        return ValueError(f"{text!r} is unknown; write {near_interval(text) or '@every 5m'!r}")
    moved = _MOVED_SESSION.fullmatch(text)
    seconds = seconds_of_duration(moved[3]) if moved else 0
    if moved and 0 < seconds <= DAY_SECONDS:
        sign = "-" if moved[2] == "-" else ""
        return ValueError(
            f"{text!r} is unknown; write {moved[1].lower()!r} with calendarOffsetSeconds: {sign}{seconds}"
        )
    return ValueError(
        f"{text!r} is unknown; use one of {', '.join(ALIASES)}, {OPEN}, {CLOSE}, '@every 5m' or five cron fields"
    )


def parse_zone(name: str) -> ZoneInfo:
    """Return an IANA time zone by name.

    Raises:
        ValueError: There is no such time zone.
    """
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"{name!r} is not an IANA time zone; write one like 'UTC' or 'Europe/Berlin'") from None
