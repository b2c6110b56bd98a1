"""Says in words when a schedule runs, from all fields of its spec that decide about it."""

from financehub_shared.core.durations import DAY_SECONDS
from financehub_shared.recurrence.calendar import load_calendar
from financehub_shared.recurrence.exclusions import WEEKDAYS
from financehub_shared.recurrence.sessions import CLOSE, OPEN
from financehub_shared.recurrence.value_lists import joined
from financehub_shared.recurrence.words import SESSION_DAY, line_in_words, weekdays_in_words
from financehub_shared.spec.exclusion import Exclusion
from financehub_shared.spec.task_spec import ScheduledTaskSpec


def spec_in_words(spec: ScheduledTaskSpec) -> str:
    """Return when a schedule runs, in one sentence without its end, such as `every 5 minutes, while XNYS is open`.

    Args:
        spec: The valid spec.
    """
    lines = spec.schedules or ([spec.schedule] if spec.schedule else [])
    if spec.after:
        when = f"after each success of {spec.after}"
    else:
        when = "; ".join(line_in_words(line, spec.day_match) for line in lines)
        if spec.calendar is not None and _is_weekly(spec.calendar):
            when = when.replace(SESSION_DAY, "trading week")
    parts = [
        f"{when}{_sessions(spec, lines)}",
        _calendar(spec, lines),
        f"in {spec.time_zone}" if any(not line.startswith("@every") for line in lines) or spec.exclude else "",
        *(f"except {_excluded(entry)}" for entry in spec.exclude),
        f"from {spec.start_time.isoformat()}" if spec.start_time else "",
        f"until {spec.end_time.isoformat()}" if spec.end_time else "",
        f"at most {spec.max_runs:,} runs" if spec.max_runs is not None else "",
        f"each run with the same delay below {spec.jitter_seconds} s" if spec.jitter_seconds else "",
        "suspended now" if spec.suspend else "",
    ]
    return ", ".join(filter(None, parts))


def _is_weekly(calendar: str) -> bool:
    """Whether a calendar has one session a week, as that of currencies."""
    sessions = load_calendar(calendar)
    return sessions.closes[0] - sessions.opens[0] > DAY_SECONDS


def _sessions(spec: ScheduledTaskSpec, lines: list[str]) -> str:
    """Return whose sessions `@open` and `@close` mean, and how `calendarOffsetSeconds` moves them."""
    return f" of {spec.calendar}{_moved(spec)}" if _is_sessions_only(lines) else ""


def _calendar(spec: ScheduledTaskSpec, lines: list[str]) -> str:
    if spec.calendar is None or _is_sessions_only(lines):
        return ""
    return f"while {spec.calendar} is open{_moved(spec)}"


def _is_sessions_only(lines: list[str]) -> bool:
    return bool(lines) and all(line in {OPEN, CLOSE} for line in lines)


def _moved(spec: ScheduledTaskSpec) -> str:
    offset = spec.calendar_offset_seconds or 0
    if not offset:
        return ""
    return f" (its sessions moved {'later' if offset > 0 else 'earlier'} by {abs(offset)} s)"


def _excluded(entry: Exclusion) -> str:
    """Return which times an entry excludes: a window of the day, and days to which all of its other fields apply."""
    window = f"from {entry.from_} to {entry.to}" if entry.from_ else ""
    weekdays = weekdays_in_words(WEEKDAYS.index(day) for day in set(entry.weekdays or ()))
    dates = joined([_dates(text) for text in entry.dates or ()])
    holidays = f"holidays of {entry.holidays}" if entry.holidays else ""
    on, *others = filter(None, [weekdays, dates, holidays]) if weekdays or dates or holidays else [""]
    also = [f"if it is also {'one of the ' if other == holidays else ''}{other}" for other in others]
    return " ".join(filter(None, [window, f"on {on}" if on else "", *also]))


def _dates(text: str) -> str:
    first, _, last = text.partition("/")
    return f"{first} to {last}" if last else f"{first} of every year" if len(first) == len("12-25") else first
