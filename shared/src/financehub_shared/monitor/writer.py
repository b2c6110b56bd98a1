"""Writes events to Redis: ends at once, beginnings a moment later, and keeps both while Redis is away."""

import json
import threading
from collections import deque
from collections.abc import Callable

import redis
import structlog

from financehub_shared.monitor.events import Event
from financehub_shared.monitor.scripts import RECORD
from financehub_shared.redis import keys

log = structlog.get_logger(__name__)

#: A beginning waits this long for its end, which says all it would: a short run costs one round trip, not two.
LINGER_SECONDS = 0.03
#: After a failure nobody waits for Redis again for this long.
BACKOFF_SECONDS = 1.0
#: Events kept while Redis is away; each about 1 kB.
KEPT_EVENTS = 10_000
#: Events sent in one call, so that the script stays far below a millisecond times ten.
BATCH = 200
#: Finished runs that can be looked up per task: one a minute for a week.
RUNS_KEPT = 10_080


class RecordWriter:
    """The only writer of run records in a process; its methods never raise and never block for long.

    An end is written in the worker's own thread, before the message is acked, so that a run which is acked is
    always counted. The ack that follows needs the same Redis, so waiting here costs nothing that is not due anyway.
    One call is under way at a time; the ends that come meanwhile travel together in the next.

    Args:
        client: Redis of the queues, with socket timeouts.
        monotonic: seconds, for the back-off.
        retention_seconds: how long a finished run can be looked up.
    """

    def __init__(self, client: "redis.Redis", monotonic: Callable[[], float], retention_seconds: int) -> None:
        self._script = client.register_script(RECORD)
        self._monotonic = monotonic
        self._arguments = [retention_seconds, RUNS_KEPT]
        self._beginnings: dict[str, Event] = {}
        self._ends: list[Event] = []
        self._sending = threading.Lock()
        self._backlog: deque[Event] = deque(maxlen=KEPT_EVENTS)
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._stopped = threading.Event()
        self._away_until = 0.0
        self._away = False
        self._dropped = 0
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Start the thread that writes beginnings and what waits for Redis."""
        self._stopped.clear()
        self._thread = threading.Thread(target=self._run, name="run-records", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Write what is left and end the thread."""
        self._stopped.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join(timeout=5)
            self._thread = None
        self.flush()

    def begin(self, event: Event) -> None:
        """Note the beginning of a try."""
        with self._lock:
            self._beginnings[event["delivery"]] = event
        self._wake.set()

    def end(self, event: Event) -> None:
        """Write the end of a try now, or keep it if Redis is away."""
        with self._lock:
            self._beginnings.pop(event["delivery"], None)
            self._ends.append(event)
        with self._sending:
            with self._lock:
                events, self._ends = self._ends, []  # none if they travelled with another's
            if self._monotonic() < self._away_until:
                self._keep(events)
            elif events:
                self._send(events)

    def flush(self) -> None:
        """Write everything that waits."""
        with self._lock:
            events = [*self._backlog, *self._beginnings.values()]
            self._backlog.clear()
            self._beginnings.clear()
        for at in range(0, len(events), BATCH):
            if not self._send(events[at : at + BATCH]):
                self._keep(events[at + BATCH :])
                return

    def _keep(self, events: list[Event]) -> None:
        with self._lock:
            self._dropped += max(0, len(self._backlog) + len(events) - KEPT_EVENTS)
            self._backlog.extend(events)
        self._wake.set()

    def _send(self, events: list[Event]) -> bool:
        payload = [json.dumps(event) for event in events]
        try:
            self._script(
                keys=[keys.TASKS, keys.SCHEDULES_TOUCHED, keys.SCHEDULES_FAILING], args=[*self._arguments, *payload]
            )
        except redis.RedisError as error:
            self._away_until = self._monotonic() + BACKOFF_SECONDS
            self._keep(events)
            if not self._away:
                self._away = True
                log.warning("run_records_wait", reason="Redis is away; tasks go on", error=str(error))
            return False
        if self._away:
            self._away = False
            log.info("run_records_written_again", lost_events=self._dropped)
            self._dropped = 0
        return True

    def _run(self) -> None:
        while not self._stopped.is_set():
            self._wake.wait()
            self._wake.clear()
            self._stopped.wait(BACKOFF_SECONDS if self._away else LINGER_SECONDS)
            self.flush()
