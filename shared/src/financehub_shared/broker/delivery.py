"""A message delivery to this process, with additional facts that the middleware needs."""

from typing import Any

from dramatiq import Message
from dramatiq.broker import MessageProxy
from dramatiq.errors import DecodeError


class Delivery(MessageProxy):
    """A message as a consumer yields it.

    Args:
        message: Message whose options hold its id in Redis.
        losses: Number of workers that died while they held the message.
    """

    def __init__(self, message: Message[Any], losses: int = 0) -> None:
        super().__init__(message)
        self.losses = losses
        #: Whether a shutdown interrupted the attempt. The ack then requeues the message unchanged.
        self.interrupted = False
        #: Retries, each with its delay in ms, that must be enqueued before the message may be acknowledged.
        self.pending_retries: list[tuple[Message[Any], int | None]] = []


def decode(data: bytes, redis_id: str, queue: str) -> Message[Any]:
    """Decode a message from any client.

    Raises:
        DecodeError: The data is not a valid message. Dramatiq would fail on it in a consumer or worker thread.
    """
    message: Message[Any] = Message.decode(data)
    fields = (message.queue_name, message.actor_name, message.message_id)
    if not all(isinstance(field, str) for field in fields) or not isinstance(message.message_timestamp, int):
        raise DecodeError("queue_name, actor_name and message_id must be strings, message_timestamp ms", data, None)
    if not isinstance(message.kwargs, dict) or not isinstance(message.options, dict):
        raise DecodeError("kwargs and options must be objects", data, None)
    # Another client may omit these fields or set invalid values, and a worker thread that relies on them would die.
    return message.copy(queue_name=queue, options={"redis_message_id": redis_id})
