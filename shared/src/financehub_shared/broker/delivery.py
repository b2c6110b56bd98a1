"""A message delivery to this process, with additional facts that the middleware needs."""

from typing import Any

from dramatiq import Message
from dramatiq.broker import MessageProxy

#: A message for Redis: the name of its queue, its id in Redis, and its encoded form.
PendingMessage = tuple[str, str, bytes]


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
        self.losses = losses
        #: Whether a shutdown interrupted the attempt. The ack then requeues the message unchanged.
        self.interrupted = False
        #: Messages that follow the run, such as its retry, which must be enqueued before the run's message may leave
        #: its queue.
        self.pending: list[PendingMessage] = []
        #: Whether the task or the end of its run has enqueued messages. A failover may lose them with the ack.
        self.has_follow_ups = False
