"""Dramatiq middleware for logs: binds a run's context to every line, and says how it ended in one line."""

import sys
from collections.abc import Callable
from typing import Any

import structlog
from dramatiq import Broker, MessageProxy, Middleware

from financehub_shared.broker import options
from financehub_shared.broker.message import correlation_id
from financehub_shared.core.clock import Clock
from financehub_shared.core.task_summary import TaskSummary
from financehub_shared.monitor.attempt import Flight
from financehub_shared.monitor.outcome import describe, outcome_of, outcome_of_skip
from financehub_shared.monitor.states import RunState
from financehub_shared.worker.middleware.in_flight import InFlight

log = structlog.get_logger(__name__)

#: Everything this middleware binds, and clears.
BOUND = ("task", "queue", "message_id", "correlation_id", "schedule", "try")
EVENTS = {
    RunState.SUCCEEDED: "task_succeeded",
    RunState.RETRYING: "task_retrying",
    RunState.DEAD_LETTERED: "task_dead_lettered",
    RunState.SKIPPED: "task_skipped",
    RunState.QUEUED: "task_interrupted",
}


class RunLog(Middleware):
    """Context of the run on every line, from the actor's own to an HTTP client's.

    Args:
        flights: what runs in this process.
        clock: measures the duration.
        redact: masks secrets, before a long error is cut; what is whole the line's sink masks.
    """

    def __init__(self, flights: InFlight, clock: Clock, redact: Callable[[str], str]) -> None:
        self._flights = flights
        self._clock = clock
        self._redact = redact

    def before_process_message(self, broker: Broker, message: MessageProxy) -> None:
        flight = self._flights.get(message)
        context = {
            "task": message.actor_name,
            "queue": message.queue_name,
            "message_id": message.message_id,
            "correlation_id": correlation_id(message),
            "try": flight.try_number if flight else 1,
        }
        if message.options.get(options.SCHEDULE):
            context["schedule"] = message.options[options.SCHEDULE]
        structlog.contextvars.bind_contextvars(**context)

    def after_process_message(
        self,
        broker: Broker,
        message: MessageProxy,
        *,
        result: Any = None,
        exception: BaseException | None = None,
    ) -> None:
        outcome = outcome_of(message, exception)
        fields: dict[str, Any] = {"outcome": outcome.value, **self._duration(message)}
        if isinstance(result, TaskSummary):
            fields["summary"] = result.as_dict()
        if exception is None:
            log.info(EVENTS[outcome], **fields)
        elif outcome is RunState.QUEUED:
            log.warning(EVENTS[outcome], reason="its worker stops; it goes back to the queue", **fields)
        elif outcome is RunState.RETRYING:
            log.warning(EVENTS[outcome], error=describe(exception, self._redact), exc_info=exception, **fields)
        else:
            log.error(EVENTS[outcome], error=describe(exception, self._redact), exc_info=exception, **fields)
        structlog.contextvars.unbind_contextvars(*BOUND)

    def after_skip_message(self, broker: Broker, message: MessageProxy) -> None:
        # dramatiq calls this while it handles the SkipMessage, and hands it over no other way
        reason, outcome = describe(sys.exception(), self._redact), outcome_of_skip(message)
        log.warning(EVENTS[outcome], outcome=outcome.value, reason=reason, **self._duration(message))
        structlog.contextvars.unbind_contextvars(*BOUND)

    def _duration(self, message: MessageProxy) -> dict[str, float]:
        flight: Flight | None = self._flights.get(message)
        return {"duration": round(self._clock.monotonic() - flight.started, 6)} if flight else {}
