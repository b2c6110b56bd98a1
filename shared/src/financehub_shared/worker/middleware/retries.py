"""Middleware that decides when a failed message runs again."""

import math
from typing import Any

import dramatiq
import structlog
from dramatiq.broker import MessageProxy
from dramatiq.errors import BrokerConnectionError, Retry
from dramatiq.middleware import Retries as StockRetries
from dramatiq.middleware import Shutdown

from financehub_shared.core.durations import DAY_SECONDS

log = structlog.get_logger(__name__)

#: Maximum wait in seconds that an upstream can request. After a day, a new run is due anyway.
LONGEST_RETRY_AFTER = float(DAY_SECONDS)


class Retries(StockRetries):
    """Dramatiq's `Retries` with three additions.

    - The `retry_after` (seconds) of an exception is applied if it is longer than the back-off.
    - If Redis does not accept a retry, the message keeps it and is not acknowledged before the retry is enqueued. Stock
      `Retries` logs the error and acknowledges the message, which loses the retry.
    - An attempt that its worker's shutdown interrupts does not count, and the message is requeued unchanged.

    Dramatiq has no hook between its decision to retry and its enqueue. The stock class therefore gets `_RetryEnqueuer`
    as its broker. This relies on dramatiq 2.2.1, where `Retries.after_process_message` uses only `get_actor` and
    `enqueue(message, delay=…)` of the broker. tests/unit/shared/worker/test_middleware.py fails if that changes.

    Args:
        max_retries: Maximum number of attempts after the first.
        min_backoff, max_backoff: Shortest and longest back-off in ms.
        exponential: Whether the back-off grows; otherwise it is always `min_backoff`.
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
            message.interrupted = True  # type: ignore[attr-defined] # an attribute of our Delivery
            return
        constant = None if self._exponential or isinstance(exception, Retry) else self.min_backoff
        enqueuer = _RetryEnqueuer(broker, message, _retry_after_ms(exception), constant)
        try:
            super().after_process_message(enqueuer, message, result=result, exception=exception)  # type: ignore[no-untyped-call]
        except Exception:
            # Options that other clients set can have any type. Dramatiq would swallow the error and ack the message.
            log.exception("retry_failed", message_id=message.message_id)
            message.fail()


class _RetryEnqueuer:
    """Replaces the broker in stock `Retries`. It sets the delay and keeps a retry that Redis does not accept.

    Args:
        broker: Broker of the process.
        message: Message that failed.
        min_delay: Shortest delay in ms.
        constant: Delay in ms that replaces the delay of stock `Retries`; None keeps that delay.
    """

    def __init__(self, broker: dramatiq.Broker, message: MessageProxy, min_delay: float, constant: int | None) -> None:
        self._broker = broker
        self._message = message
        self._min_delay = min_delay
        self._constant = constant

    def get_actor(self, name: str) -> "dramatiq.Actor[Any, Any]":
        return self._broker.get_actor(name)

    def enqueue(self, message: Any, *, delay: int) -> None:
        delay = round(max(self._constant or delay, self._min_delay))
        retry = message.copy()
        try:
            self._broker.enqueue(retry, delay=delay)
        except BrokerConnectionError as error:
            log.warning("retry_enqueue_failed", message_id=message.message_id, error=str(error))
            self._message.pending_retries.append((retry, delay))


def _retry_after_ms(exception: BaseException) -> float:
    seconds = getattr(exception, "retry_after", None)
    if not isinstance(seconds, int | float) or not math.isfinite(seconds) or seconds <= 0:
        return 0
    return min(seconds, LONGEST_RETRY_AFTER) * 1000
