"""`TaskMonitor` reads the state and the history of the fleet's tasks from Redis."""

from collections.abc import Callable, Iterable
from functools import cache, partial
from typing import Any

import redis

from financehub_shared.core.durations import DAY_SECONDS
from financehub_shared.core.log import get_logger
from financehub_shared.core.text import storable
from financehub_shared.core.url_secrets import mask_urls
from financehub_shared.monitor.record_scripts import DECLARE_LOST, DELETE_OLD_RUNS, SNAPSHOT
from financehub_shared.monitor.run_arguments import encode_arguments
from financehub_shared.monitor.run_filter import RunFilter, RunPosition
from financehub_shared.monitor.run_listing import ALL_RUNS, RunPage, find_runs
from financehub_shared.monitor.run_reader import read_runs
from financehub_shared.monitor.run_records import RunRecord, TaskStats
from financehub_shared.monitor.run_search import find_run
from financehub_shared.monitor.run_state import RunState
from financehub_shared.redis import keys, queue_keys
from financehub_shared.redis.client import connect
from financehub_shared.redis.key_types import KeyTypes, readable, report_wrong_key, wrong_keys
from financehub_shared.redis.replies import is_wrong_type
from financehub_shared.redis.run_record import RunField
from financehub_shared.redis.text import decode, decode_hash

log = get_logger(__name__)

#: Runs that started more recently are never declared lost, because their worker may not have sent a heartbeat yet.
LOST_AFTER_SECONDS = 60.0
#: Maximum number of runs that `get_schedule_runs` returns.
SCHEDULE_RUNS = 10


class TaskMonitor:
    """Reads and cleans up the records that every worker's `RunRecorder` writes.

    Every method raises `redis.RedisError` if Redis does not answer.

    Args:
        client: Client for the queue Redis, with replies as bytes.
        retention_seconds: Lifetime of a queued run's record.
        redact: Masks secrets in the arguments of queued runs.
    """

    def __init__(
        self,
        client: "redis.Redis",
        *,
        retention_seconds: int = 7 * DAY_SECONDS,
        redact: Callable[[str], str] = mask_urls,
    ) -> None:
        self._client = client
        self._redact = redact
        self._retention = retention_seconds
        self._snapshot = client.register_script(SNAPSHOT)
        self._declare_lost = client.register_script(DECLARE_LOST)
        self._delete_old_runs = client.register_script(DELETE_OLD_RUNS)

    def get_all_stats(self) -> dict[str, TaskStats]:
        """Return the statistics of every task that ever ran, read at one moment."""
        rows: Any = self._or_empty({keys.TASKS: "set"}, lambda: self._snapshot(keys=[keys.TASKS], args=[]), [])
        stats: dict[str, TaskStats] = {}
        for name, running, flat in sorted(rows):
            fields = decode_hash(dict(zip(flat[::2], flat[1::2], strict=True)))
            stats[decode(name)] = TaskStats.from_fields(int(running), fields)
        return stats

    def get_run(self, message_id: str) -> RunRecord | None:
        """Return a run by its message id, or None if it is unknown or its record has expired."""
        return next(iter(read_runs(self._client, [message_id])), None)

    def find_run(self, beginning: str) -> RunRecord:
        """Return the only run whose id begins with a text. See `run_search.find_run`."""
        return find_run(self._client, beginning)

    def get_recent_runs(self, task: str, limit: int = 20) -> list[RunRecord]:
        """Return runs of `task`: first those in progress, then those that ended, each group newest first."""
        pipeline = self._client.pipeline(transaction=False)
        pipeline.zrevrange(keys.task_running(task), 0, limit - 1)
        pipeline.zrevrange(keys.task_recent(task), 0, limit - 1)
        names = [keys.task_running(task), keys.task_recent(task)]
        running, ended = readable(names, pipeline.execute(raise_on_error=False), [])
        ids = dict.fromkeys(decode(id) for id in [*running, *ended])
        return read_runs(self._client, list(ids)[:limit])

    def find_runs(self, wanted: RunFilter = ALL_RUNS, *, after: RunPosition | None = None, limit: int = 100) -> RunPage:
        """Return the newest runs that match a filter. See `run_listing.find_runs`."""
        return find_runs(self._client, wanted, after=after, limit=limit)

    def get_runs(self, message_ids: Iterable[str]) -> list[RunRecord]:
        """Return the runs with these message ids, in the same order. Unknown ones are left out."""
        return read_runs(self._client, message_ids)

    def get_schedule_runs(self, uid: str) -> list[RunRecord]:
        """Return the newest runs of one schedule, at most `SCHEDULE_RUNS`, newest first."""
        key = keys.schedule_recent(uid)
        ids: Any = self._or_empty({key: "list"}, lambda: self._client.lrange(key, 0, SCHEDULE_RUNS - 1), [])
        return read_runs(self._client, [decode(id) for id in ids])

    def record_queued(self, message: Any) -> None:
        """Record a message as queued, for callers that enqueue it by hand and want to follow it.

        Args:
            message: Dramatiq message, before or after it is enqueued. A run that has started is not changed.
        """
        # processes that only read the records load neither dramatiq nor the settings
        from financehub_shared.broker.message import correlation_id, ready_at
        from financehub_shared.monitor.run_events import schedule_fields

        values: dict[str, Any] = {
            RunField.TASK: message.actor_name,
            RunField.QUEUE: queue_keys.q_name(message.queue_name),
            RunField.ENQUEUED_AT: ready_at(message),
            RunField.CORRELATION_ID: correlation_id(message),
            RunField.ARGUMENTS: encode_arguments(message.args, message.kwargs, self._redact),
        }
        schedule = schedule_fields(message.options)
        if "uid" in schedule:
            schedule[RunField.SCHEDULE_UID] = schedule.pop("uid")
        values |= schedule
        key = storable(keys.run(message.message_id))
        pipeline = self._client.pipeline(transaction=True)
        pipeline.hsetnx(key, RunField.STATE, RunState.QUEUED.value)
        for name, value in values.items():
            pipeline.hsetnx(key, name, storable(value) if isinstance(value, str) else value)
        pipeline.expire(key, self._retention)
        pipeline.execute()

    def declare_lost(self, now: float) -> int:
        """Declare runs lost if their worker died and their message is in no queue, and return how many there were.

        Args:
            now: Current time in Unix seconds.
        """
        names = [keys.TASKS, keys.SCHEDULES_CHANGED]
        arguments = [now - LOST_AFTER_SECONDS, now]
        return int(self._or_empty({keys.TASKS: "set"}, lambda: self._declare_lost(keys=names, args=arguments), 0))

    def drop_older(self, before: float, *, dry_run: bool = False) -> int:
        """Delete the records of runs that ended before a given time, and return how many were, or would be, deleted.

        The task counters stay.

        Args:
            before: Latest end time, in Unix seconds.
            dry_run: Whether to count the records without deleting them.
        """
        tasks: Any = self._or_empty({keys.TASKS: "set"}, lambda: self._client.smembers(keys.TASKS), set())
        arguments = [str(before), str(int(dry_run))]
        dropped = 0
        for task in tasks:
            key = keys.task_recent(decode(task))
            delete = partial(self._delete_old_runs, keys=[key], args=arguments)
            dropped += int(self._or_empty({key: "zset"}, delete, 0))
        return dropped

    def _or_empty(self, types: KeyTypes, call: Callable[[], Any], empty: Any) -> Any:
        """Return the result of a call. If one of its keys has another type, report the key and return `empty`."""
        try:
            return call()
        except redis.ResponseError as error:
            wrong = wrong_keys(self._client, types) if is_wrong_type(error) else []
            if not wrong:
                raise
            for key in wrong:
                report_wrong_key(key, f"it is not a {types[key]}, so another program wrote it")
            return empty


@cache
def get_task_monitor() -> TaskMonitor:
    """Return the process's monitor; the first call reads the settings."""
    from financehub_shared.core.settings import load_settings
    from financehub_shared.logging import Redactor, known_secrets

    settings = load_settings()
    return TaskMonitor(
        connect(settings.broker_url),
        retention_seconds=settings.run_retention_days * DAY_SECONDS,
        redact=Redactor(known_secrets(settings)),
    )
