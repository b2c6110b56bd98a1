"""Writes run events to Redis: end events immediately, start events a moment later, or both after an outage."""

import json
import threading
from collections import deque
from collections.abc import Callable

import redis
import structlog

from financehub_shared.core.chunks import chunks
from financehub_shared.core.outage import Outage
from financehub_shared.monitor.record_scripts import RECORD
from financehub_shared.monitor.run_events import RunEvent
from financehub_shared.redis import keys

log = structlog.get_logger(__name__)

#: A start event waits this long for its end event, which contains the same facts. A short run therefore costs one round
#: trip, not two.
LINGER_SECONDS = 0.03
#: Pause after a Redis failure, during which no thread waits for Redis again.
PAUSE_SECONDS = 1.0
#: Maximum number of events kept while Redis is unavailable; each is about 1 kB.
MAX_KEPT_EVENTS = 10_000
#: Events per script call, so that a call stays well under 10 ms.
BATCH = 200
#: Number of finished runs kept per task: one a minute for a week.
RUNS_KEPT = 10_080


class RecordWriter:
    """The only writer of run records in a process. Its methods never raise and never block for long.

    An end event is written in the worker thread before the message is acked, so that a run whose message is acked is
    always counted. The ack needs the same Redis, so this wait delays nothing that could otherwise proceed. Only one
    call is in progress at a time; end events that arrive in the meantime share the next call.

    Args:
        client: Client of the queue Redis, with socket timeouts.
        monotonic: Returns the monotonic time in seconds.
        retention_seconds: Time for which a finished run can be looked up.
    """

    def __init__(self, client: "redis.Redis", monotonic: Callable[[], float], retention_seconds: int) -> None:
        self._script = client.register_script(RECORD)
        self._arguments = [retention_seconds, RUNS_KEPT]
        self._starts: dict[str, RunEvent] = {}
        self._ends: list[RunEvent] = []
        self._sending = threading.Lock()
        self._backlog: deque[RunEvent] = deque(maxlen=MAX_KEPT_EVENTS)
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._stopped = threading.Event()
        self._outage = Outage(
            "run_records",
            monotonic,
            log,
            pause_seconds=PAUSE_SECONDS,
            consequence="tasks continue to run; their records are kept in memory and written later",
        )
        self._dropped = 0
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Start the thread that writes start events and the events kept during an outage."""
        self._stopped.clear()
        self._thread = threading.Thread(target=self._run, name="run-records", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Write the remaining events and stop the thread."""
        self._stopped.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join(timeout=5)
            self._thread = None
        self.flush()

    def record_start(self, event: RunEvent) -> None:
        """Record the start of an attempt a moment later."""
        with self._lock:
            self._starts[event["attempt_id"]] = event
        self._wake.set()

    def record_end(self, event: RunEvent) -> None:
        """Record the end of an attempt now, or keep it if Redis is unavailable."""
        with self._lock:
            self._starts.pop(event["attempt_id"], None)
            self._ends.append(event)
        with self._sending:
            with self._lock:
                events, self._ends = self._ends, []  # empty if another thread's call included this event
            if self._outage.active and self._outage.remaining_seconds() > 0:
                self._keep(events)
            elif events:
                self._send(events)

    def flush(self) -> None:
        """Write all waiting events."""
        with self._lock:
            events = [*self._backlog, *self._starts.values()]
            self._backlog.clear()
            self._starts.clear()
        batches = chunks(events, BATCH)
        for batch in batches:
            if not self._send(batch):
                self._keep([event for remaining in batches for event in remaining])
                return

    def _keep(self, events: list[RunEvent]) -> None:
        with self._lock:
            self._dropped += max(0, len(self._backlog) + len(events) - MAX_KEPT_EVENTS)
            self._backlog.extend(events)
        self._wake.set()

    def _send(self, events: list[RunEvent]) -> bool:
        payload = [json.dumps(event) for event in events]
        try:
            self._script(
                keys=[keys.TASKS, keys.SCHEDULES_CHANGED, keys.SCHEDULES_FAILING], args=[*self._arguments, *payload]
            )
        except redis.RedisError as error:
            self._outage.failed(error)
            self._keep(events)
            return False
        if self._outage.succeeded(lost_events=self._dropped):
            self._dropped = 0
        return True

    def _run(self) -> None:
        while not self._stopped.is_set():
            self._wake.wait()
            self._wake.clear()
            self._stopped.wait(PAUSE_SECONDS if self._outage.active else LINGER_SECONDS)
            self.flush()
