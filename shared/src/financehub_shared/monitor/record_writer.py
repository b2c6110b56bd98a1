"""Writes run events to Redis: end events immediately, start events a moment later, or both after an outage."""

import threading
from collections import deque
from collections.abc import Callable, Sequence

import redis

from financehub_shared.broker.delivery import Acknowledgment
from financehub_shared.core.exception_text import describe_exception, exception_message
from financehub_shared.core.log import get_logger
from financehub_shared.core.outage import Outage
from financehub_shared.monitor.event_backlog import Backlog, encode_event
from financehub_shared.monitor.event_losses import EventLosses, LossReason
from financehub_shared.monitor.record_scripts import RECORD
from financehub_shared.monitor.run_events import RunEvent
from financehub_shared.redis import keys
from financehub_shared.redis.command_channel import CommandChannel
from financehub_shared.redis.faults import fault_code
from financehub_shared.redis.scripts import ClientScript

log = get_logger(__name__)

#: A start event waits this long for its end event, which contains the same facts. A short run therefore costs one round
#: trip, not two.
LINGER_SECONDS = 0.03
#: Pause after a Redis failure, during which no run waits for Redis again. Acknowledgments whose messages wait for their
#: records still do, but those that wait at the same time share one call.
PAUSE_SECONDS = 1.0
#: Longest wait for the writing thread when the process stops. It may be waiting for a reply.
STOP_SECONDS = 5.0
#: Events per script call, so that a call stays well under 10 ms.
BATCH = 200
#: Number of finished runs kept per task: one a minute for a week.
RUNS_KEPT = 10_080


_NAMES = (keys.TASKS, keys.SCHEDULES_CHANGED)


class _Settlement:
    """An end event that is recorded in one step with the acknowledgment of its message.

    Args:
        event: The encoded event.
        acknowledgment: The acknowledgment.
    """

    __slots__ = ("acknowledged", "acknowledgment", "event", "is_done")

    def __init__(self, event: str, acknowledgment: Acknowledgment) -> None:
        self.event = event
        self.acknowledgment = acknowledgment
        self.is_done = False
        self.acknowledged = False


class RecordWriter:
    """The only writer of run records in a process. Its methods never raise and never block for long.

    An end event is written in the worker thread before the message is acked, or in one step with the ack, so that a run
    whose message is acked is always counted. The ack needs the same Redis, so this wait delays nothing that could
    otherwise proceed. Only one call is in progress at a time; end events that arrive in the meantime share the next
    call, each with the ack of its message.

    End events are written in the order in which the attempts ended, even after an outage. During an outage, they wait
    in memory. The writer's thread tries again, and so do threads whose messages wait for their records. An event that
    Redis refuses is given up without the others. Every event that is not written is counted and logged (`EventLosses`).

    Args:
        client: Client of the queue Redis, with socket timeouts. A call that fails is not repeated by the client.
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
        self._script = ClientScript(CommandChannel(client), RECORD)
        self._arguments = [retention_seconds, RUNS_KEPT]
        self._losses = losses or EventLosses(monotonic)
        self._starts: dict[str, RunEvent] = {}
        self._ends = Backlog()
        #: Ends that are recorded together with the acknowledgment of their message. They are newer than the others.
        self._settlements: deque[_Settlement] = deque()
        self._lock = threading.Lock()
        self._sending = threading.Lock()
        #: Number of calls that have failed because of Redis. Only the thread that holds `_sending` changes it.
        self._failed_calls = 0
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
        self._starts[event["attempt_id"]] = event
        if not self._wake.is_set():  # setting it takes a lock
            self._wake.set()

    def record_end(self, event: RunEvent) -> bool:
        """Record the end of an attempt now, or keep it if Redis is unavailable. Return whether no event waits."""
        self._starts.pop(event["attempt_id"], None)
        if not (encoded := self._encode(event)):
            return True
        self._append(encoded)
        if self._is_pausing():
            self._wake.set()
            return False
        return self._write_ends(retry=False)

    def record_end_and_acknowledge(self, event: RunEvent, acknowledgment: Acknowledgment) -> bool:
        """Record the end of an attempt and acknowledge its message in one step. Return whether it is acknowledged.

        If it is not, the caller has to acknowledge it. The end is then recorded, kept because Redis is unavailable, or
        given up because Redis refuses it.

        Args:
            event: The end event.
            acknowledgment: The acknowledgment of its message, which receives the message that is fetched with it.
        """
        self._starts.pop(event["attempt_id"], None)
        encoded = self._encode(event)
        if not encoded:
            return False
        if self._is_pausing():
            self._append(encoded)
            self._wake.set()
            return False
        settlement = _Settlement(encoded, acknowledgment)
        self._settlements.append(settlement)
        with self._sending:  # a thread that waited here often finds that another thread's call included its event
            if not settlement.is_done:
                self._send_all(retry=False)
        return settlement.acknowledged

    def write_waiting(self) -> bool:
        """Write the ends that wait, and return whether Redis accepted them.

        A thread that waited for another thread's call to fail does not try again. The next call would take as long, and
        the threads of a worker would wait for a Redis that hangs one after the other.
        """
        failed_calls = self._failed_calls
        with self._sending:
            return self._failed_calls == failed_calls and self._send_all(retry=True)

    def flush(self) -> None:
        """Write all waiting events."""
        if self._write_ends():
            # Each start is removed in one step, because its end may be recorded meanwhile. A list, because to create a
            # tuple, Python may collect garbage after it has begun to read the dictionary, and another thread may run.
            for id in list(self._starts):
                event = self._starts.pop(id, None)
                if event is not None and (encoded := self._encode(event)):
                    self._append(encoded)
            self._write_ends()

    def _is_pausing(self) -> bool:
        """Whether only the thread of the writer tries to reach Redis."""
        return self._outage.active and not self._stopped.is_set()

    def _encode(self, event: RunEvent) -> str:
        """Return an event as JSON. If it has no such form, count it and return an empty text."""
        try:
            return encode_event(event)
        except (TypeError, ValueError, RecursionError) as error:
            self._losses.count(LossReason.REFUSED, 1, f"it has no JSON form: {exception_message(error)}", event)
            return ""

    def _append(self, encoded: str) -> None:
        with self._lock:
            dropped = self._ends.append(encoded)
        self._losses.count(LossReason.MEMORY, dropped, "too many events wait in memory for Redis")

    def _write_ends(self, *, retry: bool = True) -> bool:
        """Write the waiting events in order, and return whether Redis accepted them.

        Args:
            retry: Whether to try during an outage too.
        """
        with self._sending:  # a thread that waited here often finds that another thread's call included its event
            return self._send_all(retry=retry)

    def _send_all(self, *, retry: bool) -> bool:
        if not retry and self._is_pausing():
            # The call for which this thread waited has failed, and the next one would take as long.
            self._keep([], self._oldest_settlements(len(self._settlements)))
            return False
        while True:
            batch: list[str] = []
            settlements: list[_Settlement] = []
            try:
                with self._lock:
                    batch = self._ends.take(BATCH)
                settlements = self._oldest_settlements(BATCH - len(batch))
                if not batch and not settlements:
                    return True
                events = [*batch, *(settlement.event for settlement in settlements)]
                acknowledged = self._send(events, settlements)
            except redis.RedisError as error:
                self._outage.failed(error)
                self._failed_calls += 1
                self._keep(batch, settlements, error)
                return False
            except BaseException:
                # A shutdown or a time limit interrupts this thread, but most of the events are those of other threads.
                # They may have been written, but an event that is sent again counts once.
                self._keep(batch, settlements)
                raise
            for settlement in acknowledged:
                settlement.acknowledged = True
            self._finish(settlements)

    def _oldest_settlements(self, count: int) -> list[_Settlement]:
        """Return the oldest settlements, which stay in the queue until they are done."""
        return [self._settlements[index] for index in range(min(count, len(self._settlements)))]

    def _finish(self, settlements: Sequence[_Settlement]) -> None:
        """Remove the oldest settlements from the queue."""
        for settlement in settlements:
            settlement.is_done = True
            self._settlements.popleft()

    def _keep(
        self, batch: list[str], settlements: Sequence[_Settlement], error: redis.RedisError | None = None
    ) -> None:
        """Keep events until Redis accepts them. If there is an error and the process stops, count them as lost.

        Args:
            batch: Events that were taken from the backlog.
            settlements: The oldest settlements. Their messages are not acknowledged.
            error: The error of Redis.
        """
        events = [*batch, *(settlement.event for settlement in settlements)]
        with self._lock:
            if error and self._stopped.is_set():
                reason, lost = LossReason.EXIT, len(events) + self._ends.clear() + len(self._starts)
                self._starts.clear()
            else:
                reason, lost = LossReason.MEMORY, self._ends.put_back(batch)
                lost += sum(self._ends.append(settlement.event) for settlement in settlements)
        self._finish(settlements)
        self._losses.count(reason, lost, exception_message(error) if error else "")
        self._wake.set()

    def _send(self, events: list[str], settlements: Sequence[_Settlement] = ()) -> Sequence[_Settlement]:
        """Send events, and return the settlements whose messages are acknowledged.

        Args:
            events: The encoded events, with those of the settlements at the end.
            settlements: The settlements.

        Raises:
            redis.RedisError: Redis does not answer or refuses all writes, so the events must be sent again.
        """
        try:
            return self._call(events, settlements)
        except redis.ResponseError as error:
            if fault_code(error):
                raise
            # Without events, the call fails only if Redis refuses everything. Otherwise, one of the events is to blame.
            self._script(_NAMES, [*self._arguments, 0])
            self._outage.succeeded()
            problem = exception_message(error)
        except redis.RedisError:
            raise
        except Exception as error:  # noqa: BLE001 — boundary: it would end the thread that writes later events
            problem = describe_exception(error)
        if len(events) > 1:
            for event in events:
                self._send([event])
        else:
            self._losses.count(LossReason.REFUSED, 1, problem, events[0])
        return ()

    def _call(self, events: list[str], settlements: Sequence[_Settlement]) -> Sequence[_Settlement]:
        """Call the script once with events and settlements, and return the settlements that are acknowledged."""
        args: list[str | int | bytes] = [*self._arguments, len(events), *events]
        for settlement in settlements:
            args += (*settlement.acknowledgment.names, *settlement.acknowledgment.arguments)
        refused, unacknowledged, fetched = self._script(_NAMES, args)
        self._outage.succeeded()
        for index, problem in zip(refused[::2], refused[1::2], strict=True):
            self._losses.count(LossReason.REFUSED, 1, problem, events[index])
        for start in range(0, len(fetched), 4):
            settlements[fetched[start]].acknowledgment.fetched = fetched[start + 1 : start + 4]
        return [one for index, one in enumerate(settlements) if index not in unacknowledged]

    def _run(self) -> None:
        while not self._stopped.is_set():
            self._wake.wait()
            self._wake.clear()
            self._stopped.wait(PAUSE_SECONDS if self._outage.active else LINGER_SECONDS)
            if not self._stopped.is_set():
                self.flush()
