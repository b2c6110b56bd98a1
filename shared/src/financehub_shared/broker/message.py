"""Reads the facts that a message carries in its options."""

from typing import Any

from financehub_shared.broker import options


def redis_id(message: Any) -> str:
    """Return a message's id in Redis, or its message id if another client did not set one."""
    return str(message.options.get("redis_message_id") or message.message_id)


def attempt_id(message: Any) -> str:
    """Return the id of an attempt: a redelivery keeps it, but a retry and a requeued dead letter get a new one.

    A requeued dead letter keeps its Redis id, so the id also contains the time at which the message became ready.
    """
    # A delivery knows it, because it is needed several times for each message.
    known: str | None = getattr(message, "attempt_id", None)
    return known or f"{redis_id(message)}@{message.options.get(options.READY_AT, '')}"


def correlation_id(message: Any) -> str:
    """Return the id that a run's log lines share, or the message id if the message carries none."""
    return str(message.options.get(options.CORRELATION_ID) or message.message_id)


def ready_at(message: Any) -> float:
    """Return the time at which a message became ready to run, in Unix seconds."""
    return float(message.options.get(options.READY_AT) or message.message_timestamp) / 1_000
