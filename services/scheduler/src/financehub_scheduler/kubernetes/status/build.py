"""From what is known to the status that says it: pure."""

import json
from datetime import UTC, datetime
from typing import Any

from financehub_scheduler.api.schedule import Schedule
from financehub_scheduler.api.status import NEXT, BackfillProgress, LastRun, LastSkip, RecentRun, ScheduledTaskStatus
from financehub_scheduler.core.state import Live, next_times
from financehub_scheduler.kubernetes.observed_status import Seen
from financehub_scheduler.kubernetes.status.conditions import conditions, judge, one_line
from financehub_scheduler.kubernetes.status.snapshot import Facts
from financehub_scheduler.kubernetes.watch.resource import Resource
from financehub_shared.monitor.records import Run, ScheduleOutcome
from financehub_shared.monitor.states import ACTIVE


def build(resource: Resource, live: Live | None, facts: Facts, shown: Seen, now: float) -> ScheduledTaskStatus:
    """The status of one resource.

    Args:
        resource: as the API server has it.
        live: its schedule under the engine's care; None: it is refused.
        facts: what Redis knows of it.
        shown: its status so far.
        now: Unix seconds.
    """
    record = facts.record
    return ScheduledTaskStatus(
        observed_generation=resource.generation,
        schedule=_line(live.schedule) if live else None,
        queue=live.schedule.queue if live else None,
        # where Redis has lost it, the status itself is what remembers it
        last_schedule_time=_time(shown.last if record.last_due_at is None else record.last_due_at),
        last_success_time=_time(record.outcome.last_success_at),
        last_failure_time=_time(record.outcome.last_failure_at),
        last_run=_last_run(record.outcome),
        next_schedule_times=[_second(time) for time in next_times(live, NEXT)] if live else [],
        active=sum(run.state in ACTIVE for run in facts.recent),
        runs=record.runs,
        triggered=record.triggered,
        backfilled=record.backfilled,
        failures=record.outcome.failures,
        missed=record.missed,
        skipped=record.skipped,
        last_skip=LastSkip(reason=record.last_skip[0], time=_second(record.last_skip[1])) if record.last_skip else None,
        recent=[_recent(run) for run in facts.recent],
        backfill=_backfill(resource, live, facts),
        conditions=conditions(judge(resource, live, record), resource.generation, shown.conditions, _second(now)),
    )


def as_json(status: ScheduledTaskStatus) -> dict[str, Any]:
    """A status as the API server has it after it was written: what it does not say is left out."""
    found: dict[str, Any] = _plain(status.model_dump(mode="json", by_alias=True, exclude_none=True))
    return found


def _plain(value: Any) -> Any:
    # JSON knows one kind of number: the API server gives 12.0 back as 12
    match value:
        case dict():
            return {name: _plain(each) for name, each in value.items()}
        case list():
            return [_plain(each) for each in value]
        case float() if value.is_integer():
            return int(value)
        case _:
            return value


def _line(schedule: Schedule) -> str:
    spec = json.loads(schedule.summary)
    rules = "; ".join(spec.get("schedules") or [spec["schedule"]])
    return f"{rules} ({spec['timeZone']})" if "timeZone" in spec else rules


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


def _recent(run: Run) -> RecentRun:
    return RecentRun(
        id=run.message_id,
        state=run.state,
        due_time=_time(run.due_at),
        finish_time=_time(run.finished_at),
        duration_seconds=_duration(run.duration),
    )


def _backfill(resource: Resource, live: Live | None, facts: Facts) -> BackfillProgress | None:
    wish = live.schedule.backfill if live else None
    if wish is None:
        return None
    _, text = resource.asked
    known = facts.backfill
    if known is None:
        return BackfillProgress(range=text, state="pending")
    return BackfillProgress(
        range=text,
        state=known.state,
        total=known.total,
        enqueued=known.enqueued,
        message=one_line(known.message) or None,
    )


def _second(time: float) -> datetime:
    return datetime.fromtimestamp(int(time), UTC)


def _time(time: float | None) -> datetime | None:
    return None if time is None else _second(time)


def _duration(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 3)
