"""What the monitor gives out: runs, figures per task, outcomes per schedule."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from financehub_shared.monitor.sketch import quantile
from financehub_shared.monitor.states import RunState

Fields = Mapping[str, str]


def fields_of(raw: Mapping[bytes, bytes]) -> dict[str, str]:
    """A Redis hash as text."""
    return {key.decode(): value.decode(errors="replace") for key, value in raw.items()}


def _number(fields: Fields, name: str) -> float | None:
    return float(fields[name]) if fields.get(name) else None


@dataclass(frozen=True, slots=True)
class Run:
    """One run: one message with all its tries. Times are Unix seconds.

    Args:
        message_id: dramatiq's message id.
        task, queue: where it runs.
        state: where it stands.
        schedule, schedule_uid: who enqueued it; empty for one started by hand.
        due_at: when it was due, if a schedule enqueued it.
        enqueued_at: when its first try became ready.
        started_at, finished_at: of the newest try.
        duration: seconds of the newest try.
        tries: tries so far.
        worker: id of the process in the worker registry.
        error: one line of what the newest try raised.
        summary: the task's own summary, if it succeeded.
        correlation_id: on every log line of the run.
    """

    message_id: str
    task: str
    queue: str
    state: RunState
    schedule: str = ""
    schedule_uid: str = ""
    due_at: float | None = None
    enqueued_at: float | None = None
    started_at: float | None = None
    finished_at: float | None = None
    duration: float | None = None
    tries: int = 0
    worker: str = ""
    error: str = ""
    summary: Mapping[str, Any] | None = None
    correlation_id: str = ""

    @classmethod
    def from_fields(cls, message_id: str, fields: Fields) -> "Run":
        """Read the hash of `keys.run(message_id)`."""
        return cls(
            message_id=message_id,
            task=fields.get("task", ""),
            queue=fields.get("queue", ""),
            state=RunState(fields["state"]),
            schedule=fields.get("schedule", ""),
            schedule_uid=fields.get("schedule_uid", ""),
            due_at=_number(fields, "due_at"),
            enqueued_at=_number(fields, "enqueued_at"),
            started_at=_number(fields, "started_at"),
            finished_at=_number(fields, "finished_at"),
            duration=_number(fields, "duration"),
            tries=int(fields.get("try", 0)),
            worker=fields.get("worker", ""),
            error=fields.get("error", ""),
            summary=json.loads(fields["summary"]) if fields.get("summary") else None,
            correlation_id=fields.get("correlation_id", ""),
        )


@dataclass(frozen=True, slots=True)
class TaskStats:
    """Figures of one task over the whole fleet, since its key was made.

    A run ends as exactly one of succeeded, skipped, dead-lettered or lost. A try that raised is a failed one,
    and is retried unless that was the last.

    Args:
        running: runs that run now.
        succeeded, skipped, dead_lettered, lost: runs that ended so.
        failed: tries that raised.
        retried: tries after which the message was enqueued again.
        average, p50, p95, p99: seconds of one try; quantiles are within 4.8 % of the true ones. None before the first.
        last_success_at, last_failure_at: Unix seconds.
        last_error: one line.
    """

    running: int = 0
    succeeded: int = 0
    failed: int = 0
    retried: int = 0
    skipped: int = 0
    dead_lettered: int = 0
    lost: int = 0
    average: float | None = None
    p50: float | None = None
    p95: float | None = None
    p99: float | None = None
    last_success_at: float | None = None
    last_failure_at: float | None = None
    last_error: str = ""

    @classmethod
    def from_fields(cls, running: int, fields: Fields) -> "TaskStats":
        """Read the hash of `keys.task_stats(task)`."""
        buckets = {int(key[1:]): int(value) for key, value in fields.items() if key[0] == "b" and key[1:].isdigit()}
        counters = ("succeeded", "failed", "retried", "skipped", "dead_lettered", "lost")
        tries = int(fields.get("tries", 0))
        return cls(
            running=running,
            **{name: int(fields.get(name, 0)) for name in counters},
            average=float(fields["seconds"]) / tries if tries else None,
            p50=quantile(buckets, 0.50),
            p95=quantile(buckets, 0.95),
            p99=quantile(buckets, 0.99),
            last_success_at=_number(fields, "last_success_at"),
            last_failure_at=_number(fields, "last_failure_at"),
            last_error=fields.get("last_error", ""),
        )


@dataclass(frozen=True, slots=True)
class ScheduleOutcome:
    """What became of the runs of one schedule. Times are Unix seconds.

    Args:
        ended: runs that ended, whatever way.
        failures: of them, dead-lettered or lost.
        last_run_id, last_run_outcome, last_run_at, last_run_duration, last_run_error: the run that ended last.
        last_success_at, last_failure_at: when a run last ended so.
    """

    ended: int = 0
    failures: int = 0
    last_run_id: str = ""
    last_run_outcome: str = ""
    last_run_at: float | None = None
    last_run_duration: float | None = None
    last_run_error: str = ""
    last_success_at: float | None = None
    last_failure_at: float | None = None

    @classmethod
    def from_fields(cls, fields: Fields) -> "ScheduleOutcome":
        """Read the hash of `keys.schedule(uid)`; the scheduler's own fields in it are left alone."""
        return cls(
            ended=int(fields.get("ended", 0)),
            failures=int(fields.get("failures", 0)),
            last_run_id=fields.get("last_run_id", ""),
            last_run_outcome=fields.get("last_run_outcome", ""),
            last_run_at=_number(fields, "last_run_at"),
            last_run_duration=_number(fields, "last_run_duration"),
            last_run_error=fields.get("last_run_error", ""),
            last_success_at=_number(fields, "last_success_at"),
            last_failure_at=_number(fields, "last_failure_at"),
        )
