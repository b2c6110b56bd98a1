"""The events that a worker reports about a run. Each event is complete, so it can be recorded without earlier ones."""

from collections.abc import Mapping
from typing import Any

from financehub_shared.broker import options
from financehub_shared.broker.message import correlation_id, ready_at, redis_id
from financehub_shared.monitor.attempt import Attempt
from financehub_shared.monitor.run_state import RunState
from financehub_shared.monitor.sketch import bucket_of
from financehub_shared.redis import keys

RunEvent = dict[str, Any]

#: Outcome → its counter. `retrying` and `dead-lettered` may also count as `failed`. An interrupted attempt has no
#: counter, because its run continues in another worker.
COUNTERS = {
    RunState.SUCCEEDED: "succeeded",
    RunState.SKIPPED: "skipped",
    RunState.RETRYING: "retried",
    RunState.DEAD_LETTERED: "dead_lettered",
}

_SCHEDULE_OPTIONS = frozenset({options.SCHEDULE, options.SCHEDULE_UID, options.DUE_AT})


def schedule_fields(message_options: Mapping[str, Any]) -> dict[str, Any]:
    """Return a message's `schedule`, `uid` and `due_at` (Unix seconds); empty if no schedule enqueued it."""
    if _SCHEDULE_OPTIONS.isdisjoint(message_options):
        return {}
    due_at = message_options.get(options.DUE_AT)
    fields = {
        "schedule": message_options.get(options.SCHEDULE),
        "uid": message_options.get(options.SCHEDULE_UID),
        "due_at": due_at / 1_000 if isinstance(due_at, int | float) else None,
    }
    # Another client may write any type here, and Redis accepts only strings and numbers.
    return {name: value for name, value in fields.items() if isinstance(value, str | float)}


def attempt_started(attempt: Attempt, worker: str, *, task: str | None = None, arguments: str = "") -> RunEvent:
    """Return an attempt's start event.

    Args:
        attempt: The attempt.
        worker: Id of this process in the process registry.
        task: Name under which the attempt is counted, if it differs from the message's.
        arguments: Arguments of the message, from `encode_arguments`; empty to store none.
    """
    message = attempt.message
    task = task or attempt.task
    event: RunEvent = {
        "kind": "start",
        "id": message.message_id,
        "attempt_id": attempt.id,
        "redis_id": redis_id(message),
        "attempt": attempt.number,
        "task": task,
        "queue": attempt.queue,
        "worker": worker,
        "started_at": attempt.started_at,
        "enqueued_at": ready_at(message),
        "correlation_id": correlation_id(message),
        "run": keys.run(message.message_id),
        "stats": keys.task_stats(task),
        "running": keys.task_running(task),
    }
    if arguments:
        event["arguments"] = arguments
    event |= schedule_fields(message.options)
    return event


def attempt_finished(
    start: RunEvent, outcome: RunState, finished_at: float, duration: float, *, error: str = "", summary: str = ""
) -> RunEvent:
    """Return an attempt's end event, which contains everything that its start event does.

    Args:
        start: The attempt's start event.
        outcome: Succeeded, skipped, retrying, dead-lettered, or queued if a shutdown interrupted the attempt.
        finished_at: End time in Unix seconds.
        duration: Duration in seconds.
        error: One-line description of the error; empty if nothing was raised.
        summary: Summary of the task as JSON; empty if it returned none.
    """
    event = start | {
        "kind": "finish",
        "outcome": outcome.value,
        "finished_at": finished_at,
        "duration": duration,
        "bucket": bucket_of(duration),
        "recent": keys.task_recent(start["task"]),
    }
    if error:
        event["error"] = error
        event["failed"] = outcome in {RunState.RETRYING, RunState.DEAD_LETTERED}
    if outcome in COUNTERS:
        event["counter"] = COUNTERS[outcome]
    if summary:
        event["summary"] = summary
    if "uid" in start:
        event["schedule_key"] = keys.schedule(start["uid"])
    return event
