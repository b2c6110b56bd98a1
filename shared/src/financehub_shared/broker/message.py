"""Facts that a message carries in its options."""

from typing import Any

from financehub_shared.broker import options


def redis_id(message: Any) -> str:
    """What Redis knows the message by; the message id where a foreign client set none."""
    return str(message.options.get("redis_message_id") or message.message_id)


def delivery_of(message: Any) -> str:
    """Names this enqueue of the message: a redelivery keeps it, a retry and a revived dead letter get another.

    A revived dead letter keeps its Redis id, so the time it became ready is part of the name.
    """
    return f"{redis_id(message)}@{message.options.get(options.READY_AT, '')}"


def correlation_id(message: Any) -> str:
    """What ties the lines of one run together; the message id where nobody set one."""
    return str(message.options.get(options.CORRELATION_ID) or message.message_id)


def ready_at(message: Any) -> float:
    """When the message became ready to run, Unix seconds."""
    return float(message.options.get(options.READY_AT) or message.message_timestamp) / 1_000
