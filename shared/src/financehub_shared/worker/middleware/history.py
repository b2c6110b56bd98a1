"""Middleware that records a message's failures in the message."""

from collections.abc import Callable
from typing import Any

import dramatiq
from dramatiq.broker import MessageProxy
from dramatiq.middleware import Shutdown

from financehub_shared.broker import options
from financehub_shared.broker.dead_letter import death_details
from financehub_shared.core.clock import Clock
from financehub_shared.core.exception_text import exception_message, exception_name
from financehub_shared.core.text import safe_text

#: Failures kept per message. This exceeds every sensible number of retries and keeps messages small.
FAILURES_KEPT = 20


class FailureHistory(dramatiq.Middleware):
    """Adds each failed attempt to the message and, when the message is dead-lettered, the details of its death.

    Args:
        clock: Provides the times of the failures.
        redact: Masks secrets, because messages are stored in Redis and shown in listings.
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
        """Append the failure; runs before `Retries` copies the message."""
        if exception is not None and not isinstance(exception, Shutdown):
            failure = {
                "at": round(self._clock.now() * 1000),
                "exception": exception_name(exception),
                "error": exception_message(exception, self._redact),
            }
            earlier = message.options.get(options.FAILURES, [])
            message.options[options.FAILURES] = [*earlier, failure][-FAILURES_KEPT:]

    def before_nack(self, broker: dramatiq.Broker, message: MessageProxy) -> None:
        """Add the details of the death; the consumer then writes the message in its current form."""
        # Our `Retries` has masked its traceback, but another client may have set the option.
        # Each attempt to nack calls this hook again. The first one has moved the traceback.
        moved = message.options.get(options.DEAD_LETTER, {}).get("traceback", "")
        last_traceback = self._redact(safe_text(message.options.pop("traceback", moved)))
        exception = message._exception  # noqa: SLF001 — dramatiq offers no public accessor
        message.options[options.DEAD_LETTER] = death_details(exception, self._clock.now(), last_traceback, self._redact)
