"""Limits that end a message before its task runs."""

import dramatiq
from dramatiq.broker import MessageProxy

from financehub_shared.broker import options
from financehub_shared.broker.dead_letter import KillsWorkerError, TooOldError
from financehub_shared.core.clock import Clock


class DeliveryLimit(dramatiq.Middleware):
    """Dead-letters a message that took too many workers with it (out of memory, a crash in C code).

    Args:
        max_deliveries: how many deliveries may end with the worker's death.
    """

    def __init__(self, max_deliveries: int) -> None:
        self._max_deliveries = max_deliveries

    def before_process_message(self, broker: dramatiq.Broker, message: MessageProxy) -> None:
        """Refuse the delivery after the last permitted one."""
        losses = getattr(message, "losses", 0)  # another broker's proxy does not count
        if losses >= self._max_deliveries:
            message.fail()
            raise KillsWorkerError(f"{losses} workers died while they held this message")


class AgeLimit(dramatiq.Middleware):
    """Skips a run that starts too late; a retry that does is dead-lettered, so that what failed is not forgotten.

    Replaces dramatiq's, which dead-letters both and counts the age of a delayed message from before its delay.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    @property
    def actor_options(self) -> set[str]:
        """As dramatiq's: ms."""
        return {"max_age"}

    def before_process_message(self, broker: dramatiq.Broker, message: MessageProxy) -> None:
        """The message's own limit wins over its actor's."""
        actor = broker.get_actor(message.actor_name)
        max_age = message.options.get("max_age") or actor.options.get("max_age")
        if not max_age:
            return
        retried = bool(message.options.get("retries"))
        enqueued = message.message_timestamp
        born = enqueued if retried else message.options.get(options.READY_AT, enqueued)
        age = self._clock.now() * 1000 - born
        if age >= max_age:
            if retried:
                message.fail()
            raise TooOldError(f"{age / 1000:.0f} s old, its limit is {max_age / 1000:.0f} s")
