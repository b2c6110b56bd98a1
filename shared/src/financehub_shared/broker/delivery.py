"""A message delivery to this process, with additional facts that the middleware needs."""

from collections.abc import Sequence
from typing import Any, Protocol

from dramatiq import Message
from dramatiq.broker import MessageProxy
from dramatiq.errors import ConnectionClosed

from financehub_shared.broker.message import attempt_id

#: A message for Redis: the name of its queue, its id in Redis, and its encoded form.
PendingMessage = tuple[str, str, bytes]


class Acknowledgment:
    """The acknowledgment of a message, with which the next message of its queue may be fetched.

    Args:
        names: The keys of `queue_scripts.ACK`.
        arguments: The arguments of `queue_scripts.ACK`.
    """

    __slots__ = ("arguments", "fetched", "names")

    def __init__(self, names: Sequence[str], arguments: Sequence[str | int | bytes]) -> None:
        self.names = names
        self.arguments = arguments
        #: Id, message and losses of the message that was fetched; empty if there was none.
        self.fetched: Sequence[bytes] = ()


class EndRecord(Protocol):
    """The end of an attempt, which is recorded before its message leaves the queue. No method raises."""

    @property
    def is_pending(self) -> bool:
        """Whether neither `write` nor `write_and_acknowledge` was called."""
        ...

    def write(self) -> None:
        """Record the end now, or keep it in memory until Redis accepts it. Has no effect after the first call."""

    def write_and_acknowledge(self, acknowledgment: Acknowledgment) -> bool:
        """Record the end and acknowledge the message in one step. Return whether the message is acknowledged.

        If it is not, the end is recorded, or kept in memory until Redis accepts it. Has no effect after the first call.

        Args:
            acknowledgment: The acknowledgment.
        """
        ...

    def is_written(self) -> bool:
        """Whether the end is recorded, or given up because Redis refuses it. An end that waits is tried again."""
        ...


class Delivery(MessageProxy):
    """A message as a consumer yields it.

    Args:
        message: Message whose options hold its id in Redis.
        losses: Number of workers that died while they held the message.
    """

    def __init__(self, message: Message[Any], losses: int = 0) -> None:
        super().__init__(message)
        # Dramatiq's proxy looks a field up at each access, which happens about 60 times in a run. A message does not
        # change, except for what is in its options.
        vars(self).update(vars(message))
        #: See `message.attempt_id`.
        self.attempt_id = attempt_id(message)
        self.losses = losses
        #: Whether a shutdown interrupted the attempt. The ack then requeues the message unchanged.
        self.interrupted = False
        #: Whether the hooks of the run have begun and not ended. An acknowledgment at that time comes from an interrupt
        #: that dramatiq did not expect, such as one while it logs the error of the task. The message is then requeued.
        self.is_running = False
        #: Messages that follow the run, such as its retry. They are enqueued in the step in which the run's message
        #: leaves its queue.
        self.pending: list[PendingMessage] = []
        #: Whether the task or the end of its run has enqueued messages. A failover may lose them with the ack.
        self.has_follow_ups = False
        #: The end of the attempt, which may not be recorded yet.
        self.end: EndRecord | None = None


def require_written(end: EndRecord | None) -> None:
    """Check that the end of an attempt is recorded, so that its message may leave the queue.

    A worker that dies would otherwise take the record of a run with it that nobody repeats.

    Raises:
        ConnectionClosed: The end still waits for Redis. Dramatiq repeats the acknowledgment in a few seconds.
    """
    if end is not None and not end.is_written():
        raise ConnectionClosed("the end of the run is not recorded yet, so its message is not acknowledged")
