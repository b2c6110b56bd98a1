"""The records that the monitor returns: runs and statistics per task."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from financehub_shared.monitor.run_state import RunState
from financehub_shared.monitor.sketch import quantile
from financehub_shared.redis.run_record import RunField

Fields = Mapping[str, str]


def _number(fields: Fields, name: str) -> float | None:
    return float(fields[name]) if fields.get(name) else None


def _read_summary(text: str) -> Any:
    """Return a run's summary. `asked` is the name of `TaskSummary.requested` in older records."""
    summary = json.loads(text)
    if isinstance(summary, dict) and "asked" in summary and "requested" not in summary:
        summary = {"requested": summary.pop("asked")} | summary
    return summary


@dataclass(frozen=True, slots=True)
class RunRecord:
    """One run: one message with all of its attempts. Times are Unix seconds.

    Args:
        message_id: Id of the dramatiq message.
        task, queue: Names of the task and its queue.
        state: Current state.
        schedule, schedule_uid: Schedule that enqueued the run; empty if a user started it.
        due_at: Due time, if a schedule enqueued the run.
        enqueued_at: Time at which the first attempt became ready.
        started_at, finished_at: Start and end of the newest attempt.
        duration: Duration of the newest attempt in seconds.
        attempts: Number of attempts so far.
        worker: Id of the process in the process registry.
        error: One-line description of the newest attempt's error.
        summary: Summary that the task returned, if it succeeded.
        correlation_id: Id that the log lines of the run share.
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
    attempts: int = 0
    worker: str = ""
    error: str = ""
    summary: Mapping[str, Any] | None = None
    correlation_id: str = ""

    @classmethod
    def from_fields(cls, message_id: str, fields: Fields) -> "RunRecord":
        """Create the record from the hash at `keys.run(message_id)`."""
        return cls(
            message_id=message_id,
            task=fields.get(RunField.TASK, ""),
            queue=fields.get(RunField.QUEUE, ""),
            state=RunState(fields[RunField.STATE]),
            schedule=fields.get(RunField.SCHEDULE, ""),
            schedule_uid=fields.get(RunField.SCHEDULE_UID, ""),
            due_at=_number(fields, RunField.DUE_AT),
            enqueued_at=_number(fields, RunField.ENQUEUED_AT),
            started_at=_number(fields, RunField.STARTED_AT),
            finished_at=_number(fields, RunField.FINISHED_AT),
            duration=_number(fields, RunField.DURATION),
            attempts=int(fields.get(RunField.ATTEMPT, fields.get("try", "0"))),  # `try` in older records
            worker=fields.get(RunField.WORKER, ""),
            error=fields.get(RunField.ERROR, ""),
            summary=_read_summary(fields[RunField.SUMMARY]) if fields.get(RunField.SUMMARY) else None,
            correlation_id=fields.get(RunField.CORRELATION_ID, ""),
        )


@dataclass(frozen=True, slots=True)
class TaskStats:
    """One task's statistics across the whole fleet, since its key was created.

    A run ends as exactly one of succeeded, skipped, dead-lettered or lost. An attempt that raises counts as failed, and
    as retried unless it was the last one.

    Args:
        running: Number of runs in progress.
        succeeded, skipped, dead_lettered, lost: Number of runs that ended this way.
        failed: Number of attempts that raised.
        retried: Number of attempts after which the message was enqueued again.
        average, p50, p95, p99: Attempt durations in seconds; None before the first attempt. The quantiles are off by at
            most 4.8 %.
        last_success_at, last_failure_at: Unix seconds.
        last_error: One-line description of the newest error.
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
        """Create the statistics from the hash at `keys.task_stats(task)`."""
        buckets = {int(key[1:]): int(value) for key, value in fields.items() if key[0] == "b" and key[1:].isdigit()}
        counters = ("succeeded", "failed", "retried", "skipped", "dead_lettered", "lost")
        # The statistics do not expire. Older releases counted in the fields `tries` and `seconds`.
        attempts = int(fields.get("attempts", 0)) + int(fields.get("tries", 0))
        attempt_seconds = float(fields.get("attempt_seconds", 0)) + float(fields.get("seconds", 0))
        return cls(
            running=running,
            **{name: int(fields.get(name, 0)) for name in counters},
            average=attempt_seconds / attempts if attempts else None,
            p50=quantile(buckets, 0.50),
            p95=quantile(buckets, 0.95),
            p99=quantile(buckets, 0.99),
            last_success_at=_number(fields, "last_success_at"),
            last_failure_at=_number(fields, "last_failure_at"),
            last_error=fields.get("last_error", ""),
        )
