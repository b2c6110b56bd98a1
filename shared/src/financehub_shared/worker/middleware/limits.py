"""Middleware that refuses a message that exceeds a limit, before its task runs."""

from typing import Any

import dramatiq
from dramatiq.broker import MessageProxy
from dramatiq.middleware import AgeLimit as StockAgeLimit

from financehub_shared.broker import options
from financehub_shared.broker.dead_letter_reason import KillsWorkerError, TooOldError
from financehub_shared.core.clock import Clock


class DeliveryLimit(dramatiq.Middleware):
    """Dead-letters a message that killed too many workers, for example by exhausting memory or crashing in C code.

    Args:
        max_deliveries: Number of losses (deliveries that ended with the worker's death) at which a message is
            dead-lettered.
    """

    def __init__(self, max_deliveries: int) -> None:
        self._max_deliveries = max_deliveries

    def before_process_message(self, broker: dramatiq.Broker, message: MessageProxy) -> None:
        """Refuse a delivery beyond the limit."""
        losses = getattr(message, "losses", 0)  # messages from another broker have no loss count
        if losses >= self._max_deliveries:
            message.fail()
            raise KillsWorkerError(f"{losses} workers died while they held this message")


class AgeLimit(StockAgeLimit):
    """Skips a run that starts too late.

    The limit of a message (`startingDeadlineSeconds` of its schedule) is the window in which its first attempt must
    start, and does not limit retries. The limit of an actor also limits retries. A retry that starts too late is
    dead-lettered, which keeps its failure visible.

    Dramatiq's own limit dead-letters both and counts the delay of a delayed message as age. As there, the option
    `max_age` of an actor or a message is in ms.

    Args:
        clock: Clock for the ages.
    """

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self._clock = clock

    def before_process_message(self, broker: dramatiq.Broker, message: MessageProxy) -> None:
        """Refuse a message that is too old. The message's limit takes precedence over its actor's."""
        actor = broker.get_actor(message.actor_name)
        window, is_retry = message.options.get("max_age"), bool(message.options.get("retries"))
        max_age = window or actor.options.get("max_age")
        if not max_age or (window and is_retry):
            return
        enqueued = message.message_timestamp
        counted_from = enqueued if is_retry else message.options.get(options.READY_AT, enqueued)
        age = self._clock.now() * 1000 - counted_from
        if age >= max_age:
            if is_retry:
                message.fail()
            limit = f"{age / 1000:.0f} s old, its limit is {max_age / 1000:.0f} s"
            raise TooOldError(limit + _last_failure(message.options.get(options.FAILURES)))


def _last_failure(failures: Any) -> str:
    """Return the part of the message that names the failure before this retry, so that its reason is not lost."""
    # Another client may have set the option to anything.
    last = failures[-1] if isinstance(failures, list) and failures else None
    return f"; last failure: {last.get('exception')}: {last.get('error')}" if isinstance(last, dict) else ""
