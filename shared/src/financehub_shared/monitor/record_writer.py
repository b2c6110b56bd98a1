"""Writes run events to Redis: end events immediately, start events a moment later, or both after an outage."""

import threading
from collections.abc import Callable

import redis

from financehub_shared.core.exception_text import describe_exception, exception_message
from financehub_shared.core.log import get_logger
from financehub_shared.core.outage import Outage
from financehub_shared.monitor.event_backlog import Backlog, encode_event
from financehub_shared.monitor.event_losses import EventLosses, LossReason
from financehub_shared.monitor.record_scripts import RECORD
from financehub_shared.monitor.run_events import RunEvent
from financehub_shared.redis import keys
from financehub_shared.redis.faults import fault_code

log = get_logger(__name__)

#: A start event waits this long for its end event, which contains the same facts. A short run therefore costs one round
#: trip, not two.
LINGER_SECONDS = 0.03
#: Pause after a Redis failure, during which no thread waits for Redis again.
PAUSE_SECONDS = 1.0
#: Longest wait for the writing thread when the process stops. It may be waiting for a reply.
STOP_SECONDS = 5.0
#: Events per script call, so that a call stays well under 10 ms.
BATCH = 200
#: Number of finished runs kept per task: one a minute for a week.
RUNS_KEPT = 10_080


class RecordWriter:
    """The only writer of run records in a process. Its methods never raise and never block for long.

    An end event is written in the worker thread before the message is acked, so that a run whose message is acked is
    always counted. The ack needs the same Redis, so this wait delays nothing that could otherwise proceed. Only one
    call is in progress at a time; end events that arrive in the meantime share the next call.

    End events are written in the order in which the attempts ended, even after an outage. During an outage, they wait
    in memory, and only the thread of the writer tries again. An event that Redis refuses is given up without the
    others. Every event that is not written is counted and logged (`EventLosses`).

    Args:
        client: Client of the queue Redis, with socket timeouts.
        monotonic: Returns the monotonic time in seconds.
        retention_seconds: Time for which a finished run can be looked up.
        losses: Counts and logs the events that are not written.
    """

    def __init__(
        self,
        client: "redis.Redis",
        monotonic: Callable[[], float],
        retention_seconds: int,
        losses: EventLosses | None = None,
    ) -> None:
        self._script = client.register_script(RECORD)
        self._arguments = [retention_seconds, RUNS_KEPT]
        self._losses = losses or EventLosses(monotonic)
        self._starts: dict[str, RunEvent] = {}
        self._ends = Backlog()
        self._lock = threading.Lock()
        self._sending = threading.Lock()
        self._wake = threading.Event()
        self._stopped = threading.Event()
        self._outage = Outage(
            "run_records",
            monotonic,
            log,
            pause_seconds=PAUSE_SECONDS,
            consequence="tasks continue to run; their records are kept in memory and written later",
        )
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Start the thread that writes start events and the events kept during an outage."""
        self._stopped.clear()
        self._thread = threading.Thread(target=self._run, name="run-records", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop the thread and write the remaining events. Events that Redis does not accept now are lost."""
        self._stopped.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join(timeout=STOP_SECONDS)
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
        self._append(event)
        if self._outage.active and not self._stopped.is_set():
            self._wake.set()
        else:
            self._write_ends(retry=False)

    def flush(self) -> None:
        """Write all waiting events."""
        if self._write_ends():
            with self._lock:
                starts = list(self._starts.values())
                self._starts.clear()
            for event in starts:
                self._append(event)
            self._write_ends()

    def _append(self, event: RunEvent) -> None:
        try:
            encoded = encode_event(event)
        except (TypeError, ValueError, RecursionError) as error:
            self._losses.count(LossReason.REFUSED, 1, f"it has no JSON form: {exception_message(error)}", event)
            return
        with self._lock:
            dropped = self._ends.append(encoded)
        self._losses.count(LossReason.MEMORY, dropped, "too many events wait in memory for Redis")

    def _write_ends(self, *, retry: bool = True) -> bool:
        """Write the waiting events in order, and return whether Redis accepted them.

        Args:
            retry: Whether to try during an outage too.
        """
        with self._sending:  # a thread that waited here often finds that another thread's call included its event
            if not retry and self._outage.active and not self._stopped.is_set():
                # The call for which this thread waited has failed, and the next one would take as long.
                self._wake.set()
                return False
            while True:
                with self._lock:
                    batch = self._ends.take(BATCH)
                if not batch:
                    return True
                try:
                    self._send(batch)
                except redis.RedisError as error:
                    self._keep(batch, error)
                    return False
                except Exception as error:  # noqa: BLE001 — boundary: it would end the thread that writes later events
                    self._losses.count(LossReason.REFUSED, len(batch), describe_exception(error), batch[0])
                    continue
                self._outage.succeeded()

    def _keep(self, batch: list[str], error: redis.RedisError) -> None:
        self._outage.failed(error)
        with self._lock:
            if self._stopped.is_set():
                lost = len(batch) + self._ends.clear() + len(self._starts)
                self._starts.clear()
            else:
                lost = self._ends.put_back(batch)
        reason = LossReason.EXIT if self._stopped.is_set() else LossReason.MEMORY
        self._losses.count(reason, lost, exception_message(error))
        self._wake.set()

    def _send(self, batch: list[str]) -> None:
        """Send a batch.

        Raises:
            redis.RedisError: Redis does not answer or refuses all writes, so the batch must be sent again.
        """
        names = [keys.TASKS, keys.SCHEDULES_CHANGED]
        try:
            refused = self._script(keys=names, args=[*self._arguments, *batch])
        except redis.ResponseError as error:
            if fault_code(error):
                raise
            # Without events, the call fails only if Redis refuses everything. Otherwise, one of the events is to blame.
            self._script(keys=names, args=self._arguments)
            if len(batch) > 1:
                for event in batch:
                    self._send([event])
            else:
                self._losses.count(LossReason.REFUSED, 1, exception_message(error), batch[0])
            return
        for index, problem in zip(refused[::2], refused[1::2], strict=True):
            self._losses.count(LossReason.REFUSED, 1, problem, batch[index])

    def _run(self) -> None:
        while not self._stopped.is_set():
            self._wake.wait()
            self._wake.clear()
            self._stopped.wait(PAUSE_SECONDS if self._outage.active else LINGER_SECONDS)
            if not self._stopped.is_set():
                self.flush()
