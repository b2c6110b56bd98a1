"""Middleware that decides when a failed message runs again."""

import math
from collections.abc import Callable
from typing import Any

import dramatiq
from dramatiq.broker import MessageProxy
from dramatiq.errors import Retry
from dramatiq.middleware import Retries as StockRetries
from dramatiq.middleware import Shutdown

from financehub_shared.core.durations import DAY_SECONDS
from financehub_shared.core.errors import FinanceHubError
from financehub_shared.core.exception_text import describe_exception, format_traceback
from financehub_shared.core.log import get_logger
from financehub_shared.worker.middleware.follow_ups import CallbackTarget

log = get_logger(__name__)

#: Maximum wait in seconds that an upstream can request. After a day, a new run is due anyway.
LONGEST_RETRY_AFTER = float(DAY_SECONDS)


class Retries(StockRetries):
    """Dramatiq's `Retries` with four additions.

    - The `retry_after` (seconds) of an exception is applied if it is longer than the back-off.
    - The actor of `on_retry_exhausted` may be a task of another tier.
    - An attempt that its worker's shutdown interrupts does not count, and the message is requeued unchanged.
    - The traceback in the message's option `traceback` is masked, bounded and without dramatiq's frames, and no
      exception can prevent the decision. Stock `Retries` formats the exception that is being handled, so it runs while
      `_FailedAttemptError` is handled.

    Dramatiq has no hook between its decision to retry and its enqueue. The stock class therefore gets `_RetryEnqueuer`
    as its broker. This relies on dramatiq 2.2.1, where `Retries.after_process_message` uses only `get_actor` and
    `enqueue(message, delay=…)` of the broker. tests/unit/shared/worker/test_middleware.py fails if that changes.

    Args:
        max_retries: Maximum number of attempts after the first.
        min_backoff, max_backoff: Shortest and longest back-off in ms.
        exponential: Whether the back-off grows; otherwise it is always `min_backoff`.
        redact: Masks secrets in the traceback.
    """

    def __init__(
        self,
        *,
        max_retries: int,
        min_backoff: int,
        max_backoff: int,
        exponential: bool,
        redact: Callable[[str], str] = str,
    ) -> None:
        super().__init__(max_retries=max_retries, min_backoff=min_backoff, max_backoff=max_backoff)
        self._exponential = exponential
        self._redact = redact

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
        trace = format_traceback(exception, self._redact) or describe_exception(exception, self._redact)
        enqueuer = _RetryEnqueuer(broker, message, _retry_after_ms(exception), constant, trace)
        try:
            try:
                # `from None`: formatting it must not touch the original
                raise _FailedAttemptError(trace) from None  # noqa: TRY301 — it is raised to be handled
            except _FailedAttemptError:
                super().after_process_message(enqueuer, message, result=result, exception=exception)  # type: ignore[no-untyped-call]
        except Exception:
            # Options that other clients set can have any type. Dramatiq would swallow the error and ack the message.
            log.exception("retry_failed", message_id=message.message_id)
            message.fail()
        if "traceback" in message.options:
            message.options["traceback"] = trace


class _FailedAttemptError(FinanceHubError):
    """Stands for the exception of a failed attempt while stock `Retries` formats the exception that is handled."""


class _RetryEnqueuer:
    """Replaces the broker in stock `Retries`. It sets the delay of a retry and finds the actors of callbacks.

    Args:
        broker: Broker of the process.
        message: Message that failed.
        min_delay: Shortest delay in ms.
        constant: Delay in ms that replaces the delay of stock `Retries`; None keeps that delay.
        trace: Traceback that the retry carries.
    """

    def __init__(
        self, broker: dramatiq.Broker, message: MessageProxy, min_delay: float, constant: int | None, trace: str
    ) -> None:
        self._broker = broker
        self._message = message
        self._min_delay = min_delay
        self._constant = constant
        self._trace = trace

    def get_actor(self, name: str) -> "dramatiq.Actor[Any, Any] | CallbackTarget":
        if name == self._message.actor_name:
            return self._broker.get_actor(name)
        return CallbackTarget(self._broker, self._message, name)

    def enqueue(self, message: Any, *, delay: int) -> None:
        delay = round(max(self._constant or delay, self._min_delay))
        self._broker.enqueue(message.copy(options={"traceback": self._trace}), delay=delay)


def _retry_after_ms(exception: BaseException) -> float:
    try:
        seconds = getattr(exception, "retry_after", None)
    except BaseException:  # noqa: BLE001 — a property of a foreign exception may raise anything
        return 0
    if not isinstance(seconds, int | float) or not math.isfinite(seconds) or seconds <= 0:
        return 0
    return min(seconds, LONGEST_RETRY_AFTER) * 1000
