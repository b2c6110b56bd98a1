"""Dramatiq middleware that records every run: state, times, tries, worker, error, summary."""

import json
import sys
from collections.abc import Callable
from typing import Any

from dramatiq import Broker, MessageProxy, Middleware, Worker

from financehub_shared.broker.message import delivery_of
from financehub_shared.core.clock import Clock
from financehub_shared.core.task_summary import TaskSummary
from financehub_shared.monitor import events
from financehub_shared.monitor.attempt import Flight
from financehub_shared.monitor.outcome import UNKNOWN_TASK, describe, of_unknown_task, outcome_of, outcome_of_skip
from financehub_shared.monitor.states import RunState
from financehub_shared.monitor.writer import RecordWriter
from financehub_shared.worker.middleware.in_flight import InFlight


class RunRecorder(Middleware):
    """Tells the writer of each try's beginning and end; one round trip for a short run, two for a long one.

    Args:
        writer: writes to Redis.
        flights: what runs in this process.
        worker: id of this process in the worker registry.
        clock: stamps the ends.
        redact: masks secrets in what is kept of a run.
    """

    def __init__(
        self, writer: RecordWriter, flights: InFlight, worker: str, clock: Clock, redact: Callable[[str], str]
    ) -> None:
        self._writer = writer
        self._flights = flights
        self._worker = worker
        self._clock = clock
        self._redact = redact
        self._started: dict[str, events.Event] = {}

    def before_worker_boot(self, broker: Broker, worker: Worker) -> None:
        self._writer.start()

    def after_worker_shutdown(self, broker: Broker, worker: Worker) -> None:
        self._writer.stop()

    def before_process_message(self, broker: Broker, message: MessageProxy) -> None:
        flight = self._flights.get(message)
        if flight is not None:
            event = events.started(flight, self._worker)
            self._started[flight.delivery] = event
            self._writer.begin(event)

    def after_process_message(
        self,
        broker: Broker,
        message: MessageProxy,
        *,
        result: Any = None,
        exception: BaseException | None = None,
    ) -> None:
        summary = result if isinstance(result, TaskSummary) else None
        self._end(message, outcome_of(message, exception), exception=exception, summary=summary)

    def after_skip_message(self, broker: Broker, message: MessageProxy) -> None:
        # dramatiq calls this while it handles the SkipMessage, and hands it over no other way
        self._end(message, outcome_of_skip(message), exception=sys.exception())

    def after_nack(self, broker: Broker, message: MessageProxy) -> None:
        if self._flights.was_processed(message) or not of_unknown_task(message):
            return
        flight = Flight(message, delivery_of(message), self._clock.now(), self._clock.monotonic(), 0.0)
        event = events.started(flight, self._worker, task=UNKNOWN_TASK)
        error = describe(message._exception, self._redact)  # noqa: SLF001 — dramatiq hands it over no other way
        self._writer.end(events.finished(event, RunState.DEAD_LETTERED, self._clock.now(), 0.0, error=error))

    def _end(
        self,
        message: MessageProxy,
        outcome: RunState,
        *,
        exception: BaseException | None = None,
        summary: TaskSummary | None = None,
    ) -> None:
        event = self._started.pop(delivery_of(message), None)
        flight = self._flights.get(message)
        if event is not None and flight is not None:
            now, duration = self._clock.now(), self._clock.monotonic() - flight.started
            error = describe(exception, self._redact)
            told = self._redact(json.dumps(summary.as_dict(), default=str)) if summary else ""
            self._writer.end(events.finished(event, outcome, now, duration, error=error, summary=told))
