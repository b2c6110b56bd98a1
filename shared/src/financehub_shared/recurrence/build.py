"""Builds the recurrence of a schedule from the fields of its spec."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from financehub_shared.core.errors import ConfigError
from financehub_shared.recurrence.calendar import load_calendar
from financehub_shared.recurrence.exclusions import parse_exclusion
from financehub_shared.recurrence.recurrence import Recurrence, jitter_offset
from financehub_shared.recurrence.rules import parse_rule, parse_zone


def build_recurrence(
    uid: str,
    schedules: Sequence[str],
    *,
    time_zone: str = "UTC",
    day_match: str = "Any",
    exclude: Sequence[Mapping[str, Any]] = (),
    calendar: str | None = None,
    calendar_offset_seconds: int = 0,
    start_time: datetime | None = None,
    end_time: datetime | None = None,
    jitter_seconds: int = 0,
) -> Recurrence:
    """Build the recurrence of one schedule.

    Args:
        uid: Uid of the schedule, which determines its jitter.
        schedules: Cron expressions, intervals, `@open` and `@close`; none for a schedule that runs after another one.
        time_zone: IANA time zone of the cron expressions and exclusions.
        day_match: How day of month and weekday combine if both are restricted: `Any` or `All`.
        exclude: Entries of `spec.exclude`, with the field names of the spec.
        calendar: Calendar whose sessions limit the due times; None for no restriction.
        calendar_offset_seconds: Seconds by which the sessions of the calendar are moved.
        start_time: First possible due time, with a time zone; None for no limit.
        end_time: Last possible due time, with a time zone; None for no limit.
        jitter_seconds: Limit of the jitter in seconds.

    Raises:
        ValueError: One of the values is invalid.
    """
    zone = parse_zone(time_zone)
    anchor = int(start_time.timestamp()) if start_time else 0
    if calendar_offset_seconds and not calendar:
        raise ValueError("calendarOffsetSeconds needs a calendar; add one, such as calendar: XNYS, or remove it")
    sessions = load_calendar(calendar, calendar_offset_seconds) if calendar else None
    return Recurrence(
        rules=tuple(parse_rule(text, zone, anchor, day_match=day_match, calendar=sessions) for text in schedules),
        calendar=sessions,
        start=start_time.timestamp() if start_time else None,
        end=end_time.timestamp() if end_time else None,
        offset=jitter_offset(uid, jitter_seconds),
        exclusions=tuple(parse_exclusion(entry, zone) for entry in exclude),
        zone=zone,
    )


def recurrence_of_spec(uid: str, spec: Mapping[str, Any]) -> Recurrence:
    """Build the recurrence of a registered schedule from its spec, as the scheduler stored it.

    Args:
        uid: Uid of the schedule.
        spec: The spec as written, without default values.

    Raises:
        ConfigError: Another release or another program wrote the spec, and it cannot be read.
    """
    try:
        start, end = (_time(spec.get(name)) for name in ("startTime", "endTime"))
        return build_recurrence(
            uid,
            _lines(spec),
            time_zone=str(spec.get("timeZone", "UTC")),
            day_match=str(spec.get("dayMatch", "Any")),
            exclude=_entries(spec),
            calendar=None if spec.get("calendar") is None else str(spec["calendar"]),
            calendar_offset_seconds=int(spec.get("calendarOffsetSeconds", 0)),
            start_time=start,
            end_time=end,
            jitter_seconds=int(spec.get("jitterSeconds", 0)),
        )
    except (ValueError, TypeError, KeyError, OverflowError) as error:
        problem = f"its field {error} is missing" if isinstance(error, KeyError) else str(error)
        raise ConfigError(f"the due times cannot be computed from the stored spec: {problem}") from error


def _lines(spec: Mapping[str, Any]) -> list[str]:
    if spec.get("after"):
        return []
    return [str(text) for text in spec.get("schedules") or [spec["schedule"]]]


def _entries(spec: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    entries = spec.get("exclude") or []
    if not isinstance(entries, list) or not all(isinstance(entry, Mapping) for entry in entries):
        raise ValueError("exclude is not a list of entries")
    return entries


def _time(text: str | None) -> datetime | None:
    if text is None:
        return None
    time = datetime.fromisoformat(text)
    if time.tzinfo is None:
        raise ValueError(f"{text!r} has no offset")
    return time
