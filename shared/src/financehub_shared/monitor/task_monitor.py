"""`TaskMonitor`: what the fleet's tasks did and do, read from Redis."""

from collections.abc import Iterable
from functools import cache
from typing import Any, cast

import redis
from dramatiq.common import q_name

from financehub_shared.broker.message import correlation_id, ready_at
from financehub_shared.core.settings import load_settings
from financehub_shared.monitor.events import schedule_fields
from financehub_shared.monitor.records import Run, TaskStats, fields_of
from financehub_shared.monitor.scripts import DROP, REAP, SNAPSHOT
from financehub_shared.monitor.states import RunState
from financehub_shared.redis import keys
from financehub_shared.redis.client import connect
from financehub_shared.redis.queue_keys import NAMESPACE

#: A run younger than this is not looked at: its worker may not have beaten yet.
LOST_AFTER_SECONDS = 60.0


class TaskMonitor:
    """Reads and cleans the records that every worker's `RunRecorder` writes.

    Every method raises `redis.RedisError` when Redis does not answer.

    Args:
        client: Redis of the queues, answers as bytes.
        retention_seconds: how long a queued run's record lives.
    """

    def __init__(self, client: "redis.Redis", *, retention_seconds: int = 7 * 86_400) -> None:
        self._client = client
        self._retention = retention_seconds
        self._snapshot = client.register_script(SNAPSHOT)
        self._reap = client.register_script(REAP)
        self._drop = client.register_script(DROP)

    def get_all_stats(self) -> dict[str, TaskStats]:
        """Figures of every task that ever ran, at one instant."""
        rows = self._snapshot(keys=[keys.TASKS], args=[keys.task_stats("")])
        stats: dict[str, TaskStats] = {}
        for name, running, flat in sorted(rows):
            fields = fields_of(dict(zip(flat[::2], flat[1::2], strict=True)))
            stats[name.decode()] = TaskStats.from_fields(int(running), fields)
        return stats

    def run(self, message_id: str) -> Run | None:
        """One run by its message id; None if it is not known (any more)."""
        return next(iter(self._runs([message_id])), None)

    def recent(self, task: str, limit: int = 20) -> list[Run]:
        """Runs of `task`, newest first: those that run now, then those that ended."""
        pipeline = self._client.pipeline(transaction=False)
        pipeline.zrevrange(keys.task_running(task), 0, limit - 1)
        pipeline.zrevrange(keys.task_recent(task), 0, limit - 1)
        running, ended = pipeline.execute()
        ids = dict.fromkeys(id.decode() for id in [*running, *ended])
        return self._runs(list(ids)[:limit])

    def schedule_runs(self, uid: str) -> list[Run]:
        """The newest runs of one schedule, at most 10, newest first."""
        ids = cast("list[bytes]", self._client.lrange(keys.schedule_recent(uid), 0, 9))
        return self._runs([id.decode() for id in ids])

    def record_queued(self, message: Any) -> None:
        """Note a message as queued, for whoever enqueues by hand and wants to follow it.

        Args:
            message: dramatiq message, before or after it was enqueued. A run that already began is left alone.
        """
        values: dict[str, Any] = {
            "task": message.actor_name,
            "queue": q_name(message.queue_name),
            "enqueued_at": ready_at(message),
            "correlation_id": correlation_id(message),
        }
        schedule = schedule_fields(message.options)
        if "uid" in schedule:
            schedule["schedule_uid"] = schedule.pop("uid")
        values |= schedule
        key = keys.run(message.message_id)
        pipeline = self._client.pipeline(transaction=True)
        pipeline.hsetnx(key, "state", RunState.QUEUED.value)
        for name, value in values.items():
            pipeline.hsetnx(key, name, value)
        pipeline.expire(key, self._retention)
        pipeline.execute()

    def reap_lost(self, now: float) -> int:
        """Close the runs whose worker died and whose message is in no queue; returns how many.

        Args:
            now: Unix seconds.
        """
        prefixes = [keys.task_stats(""), keys.run(""), keys.worker(""), keys.schedule("")]
        times = [now - LOST_AFTER_SECONDS, now]
        return int(
            self._reap(
                keys=[keys.TASKS, keys.SCHEDULES_TOUCHED, keys.SCHEDULES_FAILING], args=[*prefixes, NAMESPACE, *times]
            )
        )

    def drop_older(self, before: float, *, dry_run: bool = False) -> int:
        """Delete the records of runs that ended before a time; counters stay. Returns how many (would) go.

        Args:
            before: Unix seconds.
            dry_run: only count.
        """
        tasks = cast("set[bytes]", self._client.smembers(keys.TASKS))
        arguments = [keys.run(""), str(before), str(int(dry_run))]
        return sum(int(self._drop(keys=[keys.task_recent(task.decode())], args=arguments)) for task in tasks)

    def _runs(self, ids: Iterable[str]) -> list[Run]:
        wanted = list(ids)
        pipeline = self._client.pipeline(transaction=False)
        for message_id in wanted:
            pipeline.hgetall(keys.run(message_id))
        rows = pipeline.execute()
        return [
            Run.from_fields(message_id, fields_of(raw))
            for message_id, raw in zip(wanted, rows, strict=True)
            if b"state" in raw
        ]


@cache
def get_task_monitor() -> TaskMonitor:
    """The process's monitor; reads the settings at the first call."""
    settings = load_settings()
    return TaskMonitor(connect(settings.broker_url), retention_seconds=settings.run_retention_days * 86_400)
