"""Middleware that stamps messages when they are enqueued."""

from typing import Any

import dramatiq
from dramatiq.middleware import CurrentMessage

from financehub_shared.broker import options
from financehub_shared.core.clock import Clock


class ReadyAt(dramatiq.Middleware):
    """Stamps a message with the time at which it becomes ready, so that a retry's wait excludes earlier attempts."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def before_enqueue(self, broker: dramatiq.Broker, message: "dramatiq.Message[Any]", delay: int | None) -> None:
        """Set the stamp to now plus the delay. A message that leaves the delay queue keeps its stamp."""
        if is_move(message, delay):
            return
        message.options[options.READY_AT] = round(self._clock.now() * 1000) + (delay or 0)
        if "eta" in message.options:
            # Dramatiq has computed it with this machine's clock. The worker compares it with the time of Redis.
            message.options["eta"] = message.options[options.READY_AT]
        if delay is None:
            message.options.pop(options.DELAYED, None)
        else:
            message.options[options.DELAYED] = True


class CorrelationId(dramatiq.Middleware):
    """Stamps a message with the id that a run's log lines share. Messages enqueued by a task inherit the task's id."""

    def before_enqueue(self, broker: dramatiq.Broker, message: "dramatiq.Message[Any]", delay: int | None) -> None:
        """Set the id unless the message has one."""
        if options.CORRELATION_ID not in message.options:
            current = CurrentMessage.get_current_message()
            inherited = current.options.get(options.CORRELATION_ID) if current else None
            message.options[options.CORRELATION_ID] = inherited or message.message_id


def is_move(message: "dramatiq.Message[Any]", delay: int | None) -> bool:
    """Whether an enqueue only moves a message from the delay queue to its own queue, so it is not a run or a retry."""
    return delay is None and bool(message.options.get(options.DELAYED))
