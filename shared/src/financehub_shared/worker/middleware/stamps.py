"""What a message carries from the moment it is enqueued."""

from typing import Any

import dramatiq
from dramatiq.middleware import CurrentMessage

from financehub_shared.broker import options
from financehub_shared.core.clock import Clock


class ReadyAt(dramatiq.Middleware):
    """Stamps when a message becomes ready, so that the wait of a retry is not counted from the first enqueue."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def before_enqueue(self, broker: dramatiq.Broker, message: "dramatiq.Message[Any]", delay: int | None) -> None:
        """Now plus the delay; a message that comes out of the delay queue keeps its stamp."""
        if is_move(message, delay):
            return
        message.options[options.READY_AT] = round(self._clock.now() * 1000) + (delay or 0)
        if delay is None:
            message.options.pop(options.DELAYED, None)
        else:
            message.options[options.DELAYED] = True


class CorrelationId(dramatiq.Middleware):
    """Stamps the id that ties the log lines of one run together: handed down from the task that enqueues, else new."""

    def before_enqueue(self, broker: dramatiq.Broker, message: "dramatiq.Message[Any]", delay: int | None) -> None:
        """Keep an id that is there."""
        if options.CORRELATION_ID not in message.options:
            current = CurrentMessage.get_current_message()
            inherited = current.options.get(options.CORRELATION_ID) if current else None
            message.options[options.CORRELATION_ID] = inherited or message.message_id


def is_move(message: "dramatiq.Message[Any]", delay: int | None) -> bool:
    """Whether an enqueue only moves a message from the delay queue to its own: no new run, no retry."""
    return delay is None and bool(message.options.get(options.DELAYED))
