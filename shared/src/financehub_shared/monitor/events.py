"""What the recorder tells Redis of a run: self-contained events, so that any of them may come alone."""

from collections.abc import Mapping
from typing import Any

from financehub_shared.broker import options
from financehub_shared.broker.message import correlation_id, ready_at, redis_id
from financehub_shared.monitor.attempt import Flight
from financehub_shared.monitor.sketch import bucket_of
from financehub_shared.monitor.states import RunState
from financehub_shared.redis import keys

Event = dict[str, Any]

#: Outcome → the counter that is its own; `retrying` and `dead-lettered` may count as `failed` too. An interrupted try
#: has none: its run goes on elsewhere.
COUNTERS = {
    RunState.SUCCEEDED: "succeeded",
    RunState.SKIPPED: "skipped",
    RunState.RETRYING: "retried",
    RunState.DEAD_LETTERED: "dead_lettered",
}


def schedule_fields(message_options: Mapping[str, Any]) -> dict[str, Any]:
    """Which schedule enqueued the message (`schedule`, `uid`) and for when (`due_at`, Unix seconds), if any."""
    due_at = message_options.get(options.DUE_AT)
    fields = {
        "schedule": message_options.get(options.SCHEDULE),
        "uid": message_options.get(options.SCHEDULE_UID),
        "due_at": due_at / 1_000 if isinstance(due_at, int | float) else None,
    }
    # another client may write anything there, and Redis takes no list for a name
    return {name: value for name, value in fields.items() if isinstance(value, str | float)}


def started(flight: Flight, worker: str, *, task: str | None = None) -> Event:
    """A try began.

    Args:
        flight: the try.
        worker: id of this process in the worker registry.
        task: name to count it under, where it is not the message's.
    """
    message = flight.message
    task = task or flight.task
    event: Event = {
        "kind": "start",
        "id": message.message_id,
        "delivery": flight.delivery,
        "redis_id": redis_id(message),
        "try": flight.try_number,
        "task": task,
        "queue": flight.queue,
        "worker": worker,
        "started_at": flight.started_at,
        "enqueued_at": ready_at(message),
        "correlation_id": correlation_id(message),
        "run": keys.run(message.message_id),
        "stats": keys.task_stats(task),
        "running": keys.task_running(task),
    }
    event |= schedule_fields(message.options)
    return event


def finished(
    start: Event, outcome: RunState, finished_at: float, duration: float, *, error: str = "", summary: str = ""
) -> Event:
    """A try ended; carries all that its start said.

    Args:
        start: the event of its start.
        outcome: succeeded, skipped, retrying, dead-lettered, or queued when a shutdown interrupted it.
        finished_at: Unix seconds.
        duration: seconds.
        error: one line; empty if nothing was raised.
        summary: the task's summary as JSON; empty if it gave none.
    """
    event = start | {
        "kind": "finish",
        "outcome": outcome.value,
        "finished_at": finished_at,
        "duration": duration,
        "bucket": bucket_of(duration),
        "recent": keys.task_recent(start["task"]),
        "run_prefix": keys.run(""),
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
