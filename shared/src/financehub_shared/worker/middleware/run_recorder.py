"""Middleware that records every run: state, times, attempts, worker, error and summary."""

import sys
from collections.abc import Callable
from typing import Any

from dramatiq import Broker, MessageProxy, Middleware, Worker

from financehub_shared.broker.delivery import Acknowledgment, Delivery
from financehub_shared.broker.message import attempt_id
from financehub_shared.core.clock import Clock
from financehub_shared.core.task_summary import TaskSummary
from financehub_shared.core.text import dump_json
from financehub_shared.monitor import run_events
from financehub_shared.monitor.attempt import Attempt
from financehub_shared.monitor.record_writer import RecordWriter
from financehub_shared.monitor.run_arguments import encode_arguments
from financehub_shared.monitor.run_outcome import (
    describe,
    is_of_unknown_task,
    outcome_of,
    outcome_of_skip,
)
from financehub_shared.monitor.run_state import UNKNOWN_TASK, RunState
from financehub_shared.worker.middleware.attempt_tracker import AttemptTracker


class RunRecorder(Middleware):
    """Reports the start and the end of each attempt: one round trip for a short attempt, two for a long one.

    Args:
        writer: Writes the events to Redis.
        attempts: Attempts in progress in this process.
        worker: Id of this process in the process registry.
        clock: Provides the end times.
        redact: Masks secrets in errors, summaries and arguments.
    """

    def __init__(
        self, writer: RecordWriter, attempts: AttemptTracker, worker: str, clock: Clock, redact: Callable[[str], str]
    ) -> None:
        self._writer = writer
        self._attempts = attempts
        self._worker = worker
        self._clock = clock
        self._redact = redact
        self._started: dict[str, run_events.RunEvent] = {}

    def before_worker_boot(self, broker: Broker, worker: Worker) -> None:
        self._writer.start()

    def after_worker_shutdown(self, broker: Broker, worker: Worker) -> None:
        self._writer.stop()

    def before_process_message(self, broker: Broker, message: MessageProxy) -> None:
        attempt = self._attempts.get(message)
        if attempt is not None:
            arguments = encode_arguments(message.args, message.kwargs, self._redact)
            event = run_events.attempt_started(attempt, self._worker, arguments=arguments)
            self._started[attempt.id] = event
            self._writer.record_start(event)

    def after_process_message(
        self,
        broker: Broker,
        message: MessageProxy,
        *,
        result: Any = None,
        exception: BaseException | None = None,
    ) -> None:
        summary = result if isinstance(result, TaskSummary) else None
        self._record_end(message, outcome_of(message, exception), exception=exception, summary=summary)

    def after_skip_message(self, broker: Broker, message: MessageProxy) -> None:
        # Dramatiq calls this while it handles the SkipMessage, and does not pass the exception.
        self._record_end(message, outcome_of_skip(message), exception=sys.exception())

    def after_nack(self, broker: Broker, message: MessageProxy) -> None:
        if self._attempts.was_processed(message) or not is_of_unknown_task(message):
            return
        attempt = Attempt(message, attempt_id(message), self._clock.now(), self._clock.monotonic(), 0.0)
        start = run_events.attempt_started(attempt, self._worker, task=UNKNOWN_TASK)
        error = describe(message._exception, self._redact)  # noqa: SLF001 — dramatiq offers no public accessor
        end = run_events.attempt_finished(start, RunState.DEAD_LETTERED, self._clock.now(), 0.0, error=error)
        self._writer.record_end(end)

    def _record_end(
        self,
        message: MessageProxy,
        outcome: RunState,
        *,
        exception: BaseException | None = None,
        summary: TaskSummary | None = None,
    ) -> None:
        start = self._started.pop(attempt_id(message), None)
        attempt = self._attempts.get(message)
        if start is not None and attempt is not None:
            now, duration = self._clock.now(), self._clock.monotonic() - attempt.started
            error = describe(exception, self._redact)
            summary_json = self._redact(dump_json(summary.as_dict())) if summary else ""
            event = run_events.attempt_finished(start, outcome, now, duration, error=error, summary=summary_json)
            end = _End(self._writer, event)
            if outcome is not RunState.SUCCEEDED or not isinstance(message, Delivery):
                end.write()  # otherwise, the consumer records it in one step with the ack
            if isinstance(message, Delivery):
                message.end = end


class _End:
    """The end of an attempt, without which its message does not leave the queue. See `EndRecord`."""

    __slots__ = ("_event", "_is_written", "_writer")

    def __init__(self, writer: RecordWriter, event: run_events.RunEvent) -> None:
        self._writer = writer
        self._event: run_events.RunEvent | None = event
        self._is_written = False

    @property
    def is_pending(self) -> bool:
        return self._event is not None

    def write(self) -> None:
        if self._event is not None:
            event, self._event = self._event, None
            self._is_written = self._writer.record_end(event)

    def write_and_acknowledge(self, acknowledgment: Acknowledgment) -> bool:
        if self._event is None:
            return False
        event, self._event = self._event, None
        self._is_written = self._writer.record_end_and_acknowledge(event, acknowledgment)
        return self._is_written

    def is_written(self) -> bool:
        if not self._is_written:
            self._is_written = self._writer.write_waiting()
        return self._is_written
