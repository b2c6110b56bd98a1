"""Runs of a schedule whose outcomes are recorded in Redis as a worker records them."""

import time

import redis
from dramatiq import Message, MessageProxy

from financehub_shared.broker import options
from financehub_shared.broker.message import attempt_id
from financehub_shared.monitor import RunState, TaskMonitor
from financehub_shared.monitor.attempt import Attempt
from financehub_shared.monitor.record_writer import RecordWriter
from financehub_shared.monitor.run_events import RunEvent, attempt_finished, attempt_started
from financehub_shared.redis import keys
from support.schedules import UID

NOW = 1_800_000_000.0
FAILED, SUCCEEDED, SKIPPED = RunState.DEAD_LETTERED, RunState.SUCCEEDED, RunState.SKIPPED


class Runs:
    """Runs of one schedule, recorded in Redis as a worker does.

    Args:
        client: Client of a Redis that contains the schedule's record.
        uid: The schedule's uid.
    """

    def __init__(self, client: "redis.Redis", uid: str = UID) -> None:
        self._client = client
        self._uid = uid
        self._writer = RecordWriter(client, time.monotonic, 3_600)

    def new(self, started_at: float = NOW) -> RunEvent:
        """Return the start event of a run on a worker without heartbeats."""
        scheduled = {options.SCHEDULE: "default/demo", options.SCHEDULE_UID: self._uid}
        message: Message[object] = Message("q", "demo_task", (), {}, scheduled)
        return attempt_started(Attempt(MessageProxy(message), attempt_id(message), started_at, 0.0, 300.0), "w-dead")

    def begin(self, event: RunEvent) -> None:
        """Record the start of an attempt."""
        self._writer.record_start(event)
        self._writer.flush()

    def end(self, event: RunEvent, outcome: RunState, error: str = "ValueError: no") -> None:
        """Record the outcome of an attempt."""
        error = error if outcome in {FAILED, RunState.RETRYING} else ""
        self._writer.record_end(attempt_finished(event, outcome, NOW + 1, 0.5, error=error))

    def lose(self) -> None:
        """Make the janitor mark all unfinished runs as lost."""
        TaskMonitor(self._client).declare_lost(NOW + 3_600)

    @property
    def consecutive_failures(self) -> int | None:
        """The number of consecutive failures, or None if the schedule does not fail."""
        count = self._client.hget(keys.SCHEDULES_FAILING, self._uid)
        return None if count is None else int(count)
