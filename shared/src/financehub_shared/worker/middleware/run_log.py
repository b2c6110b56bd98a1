"""Middleware that binds the context of a run to every log line and logs each attempt's end in one line."""

import sys
from collections.abc import Callable
from typing import Any

from dramatiq import Broker, MessageProxy, Middleware

from financehub_shared.broker import options
from financehub_shared.broker.message import correlation_id
from financehub_shared.core.clock import Clock
from financehub_shared.core.exception_text import is_expected
from financehub_shared.core.log import get_logger
from financehub_shared.core.task_summary import TaskSummary
from financehub_shared.logging.run_context import bind_run, clear_run
from financehub_shared.monitor.run_outcome import describe, outcome_of, outcome_of_skip
from financehub_shared.monitor.run_state import RunState
from financehub_shared.worker.middleware.attempt_tracker import AttemptTracker

log = get_logger(__name__)

EVENTS = {
    RunState.SUCCEEDED: "task_succeeded",
    RunState.RETRYING: "task_retrying",
    RunState.DEAD_LETTERED: "task_dead_lettered",
    RunState.SKIPPED: "task_skipped",
    RunState.QUEUED: "task_interrupted",
}


class RunLog(Middleware):
    """Adds the run's context to the log lines of its actor and of every library that the actor calls.

    Args:
        attempts: Attempts in progress in this process.
        clock: Measures the duration.
        redact: Masks secrets in an error before it is truncated; the log sink masks whole lines.
    """

    def __init__(self, attempts: AttemptTracker, clock: Clock, redact: Callable[[str], str]) -> None:
        self._attempts = attempts
        self._clock = clock
        self._redact = redact

    def before_process_message(self, broker: Broker, message: MessageProxy) -> None:
        attempt = self._attempts.get(message)
        context = {
            "task": message.actor_name,
            "queue": message.queue_name,
            "message_id": message.message_id,
            "correlation_id": correlation_id(message),
            "attempt": attempt.number if attempt else 1,
        }
        if message.options.get(options.SCHEDULE):
            context["schedule"] = message.options[options.SCHEDULE]
        bind_run(context)

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
            log.warning(EVENTS[outcome], reason="its worker stops; the message is requeued", **fields)
        else:
            # A traceback of an error that was raised deliberately would say less than its message.
            trace = {} if is_expected(exception) else {"exc_info": exception}
            report = log.warning if outcome is RunState.RETRYING else log.error
            report(EVENTS[outcome], error=describe(exception, self._redact), **trace, **fields)
        clear_run()

    def after_skip_message(self, broker: Broker, message: MessageProxy) -> None:
        # Dramatiq calls this while it handles the SkipMessage, and does not pass the exception.
        reason, outcome = describe(sys.exception(), self._redact), outcome_of_skip(message)
        log.warning(EVENTS[outcome], outcome=outcome.value, reason=reason, **self._duration(message))
        clear_run()

    def _duration(self, message: MessageProxy) -> dict[str, float]:
        attempt = self._attempts.get(message)
        return {"duration": round(self._clock.monotonic() - attempt.started, 6)} if attempt else {}
