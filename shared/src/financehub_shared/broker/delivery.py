"""One delivery of a message to this process: what the middleware needs to know beyond the message."""

from typing import Any

from dramatiq import Message
from dramatiq.broker import MessageProxy
from dramatiq.errors import DecodeError


class Delivery(MessageProxy):
    """A message as a consumer hands it out.

    Args:
        message: the message, with the id that Redis knows it by in its options.
        losses: how many workers died holding it before.
    """

    def __init__(self, message: Message[Any], losses: int = 0) -> None:
        super().__init__(message)
        self.losses = losses
        #: Set instead of an outcome: it was interrupted and goes back as it was.
        self.returned = False
        #: Messages (with their delay, ms) that must be enqueued before this one may be acknowledged.
        self.owed: list[tuple[Message[Any], int | None]] = []


def decode(data: bytes, redis_id: str, queue: str) -> Message[Any]:
    """Read a message from the wire, whoever wrote it.

    Raises:
        DecodeError: it is no message; dramatiq would stumble over it in a consumer or worker thread.
    """
    message: Message[Any] = Message.decode(data)
    fields = (message.queue_name, message.actor_name, message.message_id)
    if not all(isinstance(field, str) for field in fields) or not isinstance(message.message_timestamp, int):
        raise DecodeError("queue_name, actor_name and message_id are strings, message_timestamp is ms", data, None)
    if not isinstance(message.kwargs, dict) or not isinstance(message.options, dict):
        raise DecodeError("kwargs and options are objects", data, None)
    # Another client may leave these out or wrong; a worker thread that trusts them dies.
    return message.copy(queue_name=queue, options={"redis_message_id": redis_id})
