"""Builds the status of a ScheduledTask from its schedule, schedule record and runs. Pure functions."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from financehub_scheduler.api.schedule import Schedule
from financehub_scheduler.api.status import NEXT, BackfillProgress, LastRun, LastSkip, RecentRun, ScheduledTaskStatus
from financehub_scheduler.core.state import ScheduleState, next_times
from financehub_scheduler.kubernetes.observed_status import ObservedStatus
from financehub_scheduler.kubernetes.status.conditions import evaluate, one_line, to_conditions
from financehub_scheduler.kubernetes.status.snapshot import ScheduleSnapshot
from financehub_scheduler.kubernetes.watch.resource import WatchedResource
from financehub_shared.monitor import ACTIVE, RunRecord
from financehub_shared.recurrence.sessions import CLOSE, OPEN
from financehub_shared.redis.schedule_record import ScheduleOutcome
from financehub_shared.schedules.listing import recurrence_text


def build_status(
    resource: WatchedResource,
    state: ScheduleState | None,
    snapshot: ScheduleSnapshot,
    current: ObservedStatus,
    now: float,
) -> ScheduledTaskStatus:
    """Return the status of one resource.

    Args:
        resource: The resource in the API server.
        state: Its active schedule; None if its spec is refused.
        snapshot: Its record, runs and backfill in Redis.
        current: Its status in the API server.
        now: Unix seconds.
    """
    record = snapshot.record
    values = evaluate(resource, state, record)
    return ScheduledTaskStatus(
        observed_generation=resource.generation,
        schedule=_recurrence(state.schedule) if state else None,
        queue=state.schedule.queue if state else None,
        # If Redis has lost the timestamp, the current status has the only copy.
        last_schedule_time=_time(current.last_schedule_time if record.last_due_at is None else record.last_due_at),
        last_success_time=_time(record.outcome.last_success_at),
        last_failure_time=_time(record.outcome.last_failure_at),
        last_run=_last_run(record.outcome),
        next_schedule_times=[_second(time) for time in next_times(state, NEXT)] if state else [],
        active=sum(run.state in ACTIVE for run in snapshot.recent),
        buffered=snapshot.buffered,
        runs=record.runs,
        triggered=record.triggered,
        backfilled=record.backfilled,
        failures=record.outcome.failures,
        failures_in_row=snapshot.failures_in_row,
        missed=record.missed,
        skipped=sum(record.skipped.values()),
        last_skip=LastSkip(reason=record.last_skip[0], time=_second(record.last_skip[1])) if record.last_skip else None,
        recent=[_recent(run) for run in snapshot.recent],
        backfill=_backfill(resource, state, snapshot),
        conditions=to_conditions(values, resource.generation, current.conditions, _second(now)),
    )


def to_json(status: ScheduledTaskStatus) -> dict[str, Any]:
    """Return a status as the API server stores it, without empty fields."""
    found: dict[str, Any] = _normalized(status.model_dump(mode="json", by_alias=True, exclude_none=True))
    return found


def _normalized(value: Any) -> Any:
    # JSON has a single number type, so the API server returns 12.0 as 12.
    match value:
        case dict():
            return {name: _normalized(item) for name, item in value.items()}
        case list():
            return [_normalized(item) for item in value]
        case float() if value.is_integer():
            return int(value)
        case _:
            return value


def _recurrence(schedule: Schedule) -> str:
    spec = json.loads(schedule.spec_json)
    lines = spec.get("schedules") or [spec.get("schedule", "")]
    has_sessions = any(line in {OPEN, CLOSE} for line in lines)
    has_clock = not spec.get("after") and any(line not in {OPEN, CLOSE} for line in lines)
    notes = [
        _calendar(spec) if has_sessions else "",
        f"dayMatch {spec['dayMatch']}" if "dayMatch" in spec else "",
        spec.get("timeZone", "") if has_clock else "",
    ]
    shown = ", ".join(filter(None, notes))
    return f"{recurrence_text(spec)} ({shown})" if shown else recurrence_text(spec)


def _calendar(spec: Mapping[str, Any]) -> str:
    """Return the calendar of `@open` and `@close` with its offset, such as `XNYS + 900 s`."""
    offset = spec.get("calendarOffsetSeconds", 0)
    moved = f" {'+' if offset > 0 else '-'} {abs(offset)} s" if offset else ""
    return f"{spec.get('calendar', '')}{moved}"


def _last_run(outcome: ScheduleOutcome) -> LastRun | None:
    if not outcome.last_run_id:
        return None
    return LastRun(
        id=outcome.last_run_id,
        outcome=outcome.last_run_outcome,
        finish_time=_time(outcome.last_run_at),
        duration_seconds=_duration(outcome.last_run_duration),
        error=one_line(outcome.last_run_error) or None,
    )


def _recent(run: RunRecord) -> RecentRun:
    return RecentRun(
        id=run.message_id,
        state=run.state,
        due_time=_time(run.due_at),
        finish_time=_time(run.finished_at),
        duration_seconds=_duration(run.duration),
    )


def _backfill(
    resource: WatchedResource, state: ScheduleState | None, snapshot: ScheduleSnapshot
) -> BackfillProgress | None:
    if state is None or state.schedule.backfill is None:
        return None
    _, text = resource.annotations
    progress = snapshot.backfill
    if progress is None:
        return BackfillProgress(range=text, state="pending")
    return BackfillProgress(
        range=text,
        state=progress.state,
        total=progress.total,
        enqueued=progress.enqueued,
        message=one_line(progress.message) or None,
    )


def _second(time: float) -> datetime:
    return datetime.fromtimestamp(int(time), UTC)


def _time(time: float | None) -> datetime | None:
    return None if time is None else _second(time)


def _duration(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 3)
