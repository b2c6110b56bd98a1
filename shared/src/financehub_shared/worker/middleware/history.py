"""What went wrong with a message, kept in the message."""

from collections.abc import Callable
from typing import Any

import dramatiq
from dramatiq.broker import MessageProxy
from dramatiq.middleware import Shutdown

from financehub_shared.broker import options
from financehub_shared.broker.dead_letter import error_text, history
from financehub_shared.core.clock import Clock

#: Failures kept per message; more retries than this are asked for by nobody, and a message should stay small.
FAILURES_KEPT = 20


class FailureHistory(dramatiq.Middleware):
    """Appends each failed try to the message, and the whole story when it is given up.

    Args:
        clock: stamps the failures.
        redact: masks secrets: messages lie in Redis, and listings show them.
    """

    def __init__(self, clock: Clock, redact: Callable[[str], str]) -> None:
        self._clock = clock
        self._redact = redact

    def after_process_message(
        self,
        broker: dramatiq.Broker,
        message: MessageProxy,
        *,
        result: Any = None,
        exception: BaseException | None = None,
    ) -> None:
        """Before `Retries` copies the message."""
        if exception is not None and not isinstance(exception, Shutdown):
            failure = {
                "at": round(self._clock.now() * 1000),
                "exception": type(exception).__name__,
                "error": error_text(exception, self._redact),
            }
            earlier = message.options.get(options.FAILURES, [])
            message.options[options.FAILURES] = [*earlier, failure][-FAILURES_KEPT:]

    def before_enqueue(self, broker: dramatiq.Broker, message: "dramatiq.Message[Any]", delay: int | None) -> None:
        """A retry takes along the traceback that stock `Retries` has written into it."""
        if isinstance(message.options.get("traceback"), str):
            message.options["traceback"] = self._redact(message.options["traceback"])

    def before_nack(self, broker: dramatiq.Broker, message: MessageProxy) -> None:
        """The consumer writes the message as it is now."""
        last_traceback = self._redact(message.options.pop("traceback", ""))
        exception = message._exception  # noqa: SLF001 — where dramatiq keeps it for its own middleware
        message.options[options.DEAD_LETTER] = history(exception, self._clock.now(), last_traceback, self._redact)
