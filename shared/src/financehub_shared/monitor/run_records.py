"""The records that the monitor returns: runs and statistics per task."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from financehub_shared.core.damage import DAMAGED
from financehub_shared.monitor.run_arguments import RunArguments, decode_arguments
from financehub_shared.monitor.run_state import RunState
from financehub_shared.monitor.sketch import quantile
from financehub_shared.redis.run_record import RunField
from financehub_shared.redis.text import read_count, read_number, read_time

Fields = Mapping[str, str]

_BUCKET = re.compile(r"b\d{1,4}", re.ASCII)


def _read_summary(text: str) -> Any:
    """Return a run's summary, or None if there is none or it is damaged.

    `asked` is the name of `TaskSummary.requested` in older records.
    """
    try:
        summary = json.loads(text) if text else None
    except DAMAGED:
        return None
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
        arguments: Arguments of its message; None if they are not known.
        redis_id: Id in Redis of the message of the newest attempt, and of the dead letter if the run was dead-lettered.
            Empty if no attempt has started.
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
    redis_id: str = ""
    arguments: RunArguments | None = None

    @classmethod
    def from_fields(cls, message_id: str, fields: Fields) -> "RunRecord":
        """Create the record from the hash at `keys.run(message_id)`. A damaged number or summary counts as missing.

        Raises:
            ValueError: The state is unknown.
        """
        return cls(
            message_id=message_id,
            task=fields.get(RunField.TASK, ""),
            queue=fields.get(RunField.QUEUE, ""),
            state=RunState(fields[RunField.STATE]),
            schedule=fields.get(RunField.SCHEDULE, ""),
            schedule_uid=fields.get(RunField.SCHEDULE_UID, ""),
            due_at=read_time(fields.get(RunField.DUE_AT)),
            enqueued_at=read_time(fields.get(RunField.ENQUEUED_AT)),
            started_at=read_time(fields.get(RunField.STARTED_AT)),
            finished_at=read_time(fields.get(RunField.FINISHED_AT)),
            duration=read_number(fields.get(RunField.DURATION)),
            attempts=read_count(fields.get(RunField.ATTEMPT, fields.get("try"))),  # `try` in older records
            worker=fields.get(RunField.WORKER, ""),
            error=fields.get(RunField.ERROR, ""),
            summary=_read_summary(fields.get(RunField.SUMMARY, "")),
            correlation_id=fields.get(RunField.CORRELATION_ID, ""),
            redis_id=fields.get(RunField.REDIS_ID, ""),
            arguments=decode_arguments(fields.get(RunField.ARGUMENTS)),
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
        """Create the statistics from the hash at `keys.task_stats(task)`. A damaged number counts as missing."""
        buckets = {int(key[1:]): read_count(value) for key, value in fields.items() if _BUCKET.fullmatch(key)}
        counters = ("succeeded", "failed", "retried", "skipped", "dead_lettered", "lost")
        # The statistics do not expire. Older releases counted in the fields `tries` and `seconds`.
        attempts = read_count(fields.get("attempts")) + read_count(fields.get("tries"))
        attempt_seconds = (read_number(fields.get("attempt_seconds")) or 0) + (read_number(fields.get("seconds")) or 0)
        return cls(
            running=running,
            **{name: read_count(fields.get(name)) for name in counters},
            average=attempt_seconds / attempts if attempts else None,
            p50=quantile(buckets, 0.50),
            p95=quantile(buckets, 0.95),
            p99=quantile(buckets, 0.99),
            last_success_at=read_time(fields.get("last_success_at")),
            last_failure_at=read_time(fields.get("last_failure_at")),
            last_error=fields.get("last_error", ""),
        )
