"""When a failed message runs again."""

import math
from typing import Any

import dramatiq
import structlog
from dramatiq.broker import MessageProxy
from dramatiq.errors import BrokerConnectionError, Retry
from dramatiq.middleware import Retries as StockRetries
from dramatiq.middleware import Shutdown

log = structlog.get_logger(__name__)

#: A longer wait that an upstream asks for is cut to this, in seconds: by then a new run is due anyway.
LONGEST_RETRY_AFTER = 86_400.0


class Retries(StockRetries):
    """Dramatiq's, with three additions.

    - `retry_after` (seconds) of an exception is honoured where it is longer than the backoff.
    - A retry that Redis did not take is owed: the message is not acknowledged before it is enqueued. Stock logs the
      error and acknowledges, which loses the message.
    - A run that is interrupted by the shutdown of its worker goes back as it was and does not count as a try.

    Args:
        max_retries: tries after the first.
        min_backoff, max_backoff: ms.
        exponential: False: always `min_backoff`.
    """

    def __init__(self, *, max_retries: int, min_backoff: int, max_backoff: int, exponential: bool) -> None:
        super().__init__(max_retries=max_retries, min_backoff=min_backoff, max_backoff=max_backoff)
        self._exponential = exponential

    def after_process_message(
        self,
        broker: dramatiq.Broker,
        message: MessageProxy,
        *,
        result: Any = None,
        exception: BaseException | None = None,
    ) -> None:
        """Enqueue the retry, or fail the message."""
        if exception is None:
            return
        if isinstance(exception, Shutdown):
            message.returned = True  # type: ignore[attr-defined] # of our Delivery
            return
        constant = None if self._exponential or isinstance(exception, Retry) else self.min_backoff
        queue = _Queue(broker, message, _retry_after_ms(exception), constant)
        try:
            super().after_process_message(queue, message, result=result, exception=exception)  # type: ignore[no-untyped-call]
        except Exception:
            # dramatiq would swallow it and acknowledge; options from the wire can be of any type
            log.exception("retry_failed", message_id=message.message_id)
            message.fail()


class _Queue:
    """What stock `Retries` sees as its broker: decides the delay and owes what Redis does not take."""

    def __init__(self, broker: dramatiq.Broker, message: MessageProxy, at_least: float, constant: int | None) -> None:
        self._broker = broker
        self._message = message
        self._at_least = at_least
        self._constant = constant

    def get_actor(self, name: str) -> "dramatiq.Actor[Any, Any]":
        return self._broker.get_actor(name)

    def enqueue(self, message: Any, *, delay: int) -> None:
        delay = round(max(self._constant or delay, self._at_least))
        copy = message.copy()
        try:
            self._broker.enqueue(copy, delay=delay)
        except BrokerConnectionError as error:
            log.warning("retry_owed", message_id=message.message_id, error=str(error))
            self._message.owed.append((copy, delay))


def _retry_after_ms(exception: BaseException) -> float:
    seconds = getattr(exception, "retry_after", None)
    if not isinstance(seconds, int | float) or not math.isfinite(seconds) or seconds <= 0:
        return 0
    return min(seconds, LONGEST_RETRY_AFTER) * 1000
