"""Builds the recurrence of a schedule from the fields of its spec."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from financehub_shared.core.errors import ConfigError
from financehub_shared.recurrence.calendar import load_calendar
from financehub_shared.recurrence.recurrence import Recurrence, jitter_offset
from financehub_shared.recurrence.rules import parse_rule, parse_zone


def build_recurrence(
    uid: str,
    schedules: Sequence[str],
    *,
    time_zone: str = "UTC",
    calendar: str | None = None,
    start_time: datetime | None = None,
    end_time: datetime | None = None,
    jitter_seconds: int = 0,
) -> Recurrence:
    """Build the recurrence of one schedule.

    Args:
        uid: Uid of the schedule, which determines its jitter.
        schedules: Cron expressions and intervals.
        time_zone: IANA time zone of the cron expressions.
        calendar: Exchange that must be open; None for no restriction.
        start_time: First possible due time, with a time zone; None for no limit.
        end_time: Last possible due time, with a time zone; None for no limit.
        jitter_seconds: Limit of the jitter in seconds.

    Raises:
        ValueError: One of the values is invalid.
    """
    zone = parse_zone(time_zone)
    anchor = int(start_time.timestamp()) if start_time else 0
    return Recurrence(
        rules=tuple(parse_rule(text, zone, anchor) for text in schedules),
        calendar=load_calendar(calendar) if calendar else None,
        start=start_time.timestamp() if start_time else None,
        end=end_time.timestamp() if end_time else None,
        offset=jitter_offset(uid, jitter_seconds),
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
            [str(text) for text in spec.get("schedules") or [spec["schedule"]]],
            time_zone=str(spec.get("timeZone", "UTC")),
            calendar=spec.get("calendar"),
            start_time=start,
            end_time=end,
            jitter_seconds=int(spec.get("jitterSeconds", 0)),
        )
    except (ValueError, TypeError, KeyError, OverflowError) as error:
        problem = f"its field {error} is missing" if isinstance(error, KeyError) else str(error)
        raise ConfigError(f"the due times cannot be computed from the stored spec: {problem}") from error


def _time(text: str | None) -> datetime | None:
    if text is None:
        return None
    time = datetime.fromisoformat(text)
    if time.tzinfo is None:
        raise ValueError(f"{text!r} has no offset")
    return time
