"""Run events of attempts that no worker makes, for tests of the record writer."""

from typing import Any

from financehub_shared.monitor import RunState
from financehub_shared.monitor.run_events import RunEvent, attempt_finished
from financehub_shared.redis import keys


def start_event(id: str, attempt: int = 1, **fields: Any) -> RunEvent:
    """Return the start event of an attempt."""
    return {
        "kind": "start",
        "id": id,
        "attempt_id": f"{id}@{attempt}",
        "redis_id": id,
        "attempt": attempt,
        "task": "task",
        "queue": "high",
        "worker": "w-1",
        "started_at": 1_800_000_000.0,
        "enqueued_at": 1_800_000_000.0,
        "correlation_id": id,
        "run": keys.run(id),
        "stats": keys.task_stats("task"),
        "running": keys.task_running("task"),
        **fields,
    }


def end_event(id: str, attempt: int = 1, outcome: RunState = RunState.SUCCEEDED, **fields: Any) -> RunEvent:
    """Return the end event of an attempt."""
    error = "" if outcome is RunState.SUCCEEDED else "ValueError: no"
    return attempt_finished(start_event(id, attempt, **fields), outcome, 1_800_000_001.0, 1.0, error=error)
