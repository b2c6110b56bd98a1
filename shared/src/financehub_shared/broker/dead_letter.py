"""The dead letter: a message that failed permanently, with the reason, the time and the history of its errors."""

import json
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from dramatiq import Message
from dramatiq.common import q_name
from dramatiq.errors import ActorNotFound, DecodeError
from dramatiq.middleware import SkipMessage

from financehub_shared.broker import options
from financehub_shared.core.errors import InvalidArgumentsError

#: Longer tracebacks are cut in the middle, because the first frames and the error itself matter most.
TRACEBACK_CHARACTERS = 8_000
#: Longer error messages are truncated.
ERROR_CHARACTERS = 1_000


class DeadLetterReason(StrEnum):
    """The reason why a message was dead-lettered. Metrics use it as a label."""

    RETRIES_EXHAUSTED = "retries-exhausted"
    INVALID_ARGUMENTS = "invalid-arguments"
    KILLS_WORKER = "kills-worker"
    TOO_OLD = "too-old"
    UNKNOWN_TASK = "unknown-task"
    UNDECODABLE = "undecodable"


# Dramatiq requires the following two errors to derive from its SkipMessage, so they cannot be in core.errors.


class KillsWorkerError(SkipMessage):
    """Too many workers died while they held the message."""


class TooOldError(SkipMessage):
    """The message is past its age limit."""


_REASONS: Mapping[type[BaseException], DeadLetterReason] = {
    InvalidArgumentsError: DeadLetterReason.INVALID_ARGUMENTS,
    KillsWorkerError: DeadLetterReason.KILLS_WORKER,
    TooOldError: DeadLetterReason.TOO_OLD,
    ActorNotFound: DeadLetterReason.UNKNOWN_TASK,
    DecodeError: DeadLetterReason.UNDECODABLE,
}


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One dead letter.

    Args:
        id: Id of the letter in Redis. A message that dies twice has two letters, one after the other.
        queue, task, args, kwargs, message_id: The message's fields.
        reason: Why the message was dead-lettered.
        exception: Class name of the last error.
        error: Message of the last error.
        traceback: Traceback of the last failed attempt; empty if there was none.
        attempts: Number of failed attempts, excluding those that ended with the worker's death.
        failures: Failed attempts, oldest first, each with `at` (Unix seconds), `exception` and `error`.
        enqueued_at: Time of the first enqueue, in Unix seconds.
        died_at: Time of death, in Unix seconds.
        schedule: Name of the schedule that enqueued the message; empty if there is none.
        correlation_id: Id that the log lines of the run share.
        raw: Content of the queue entry if it was not a message; otherwise empty.
    """

    id: str
    queue: str
    task: str
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    message_id: str
    reason: str
    exception: str
    error: str
    traceback: str
    attempts: int
    failures: tuple[Mapping[str, Any], ...]
    enqueued_at: float
    died_at: float
    schedule: str = ""
    correlation_id: str = ""
    raw: str = ""


def death_details(
    exception: BaseException | None, died_at: float, last_traceback: str, redact: Callable[[str], str] = str
) -> dict[str, Any]:
    """Return the details that a message carries in its `dead_letter` option.

    Args:
        exception: Exception because of which the message is dead-lettered.
        died_at: Time of death in Unix seconds.
        last_traceback: Traceback of the last failed attempt, used if the exception has none.
        redact: Masks secrets, because no secret may be stored in Redis.
    """
    reason = next((reason for type_, reason in _REASONS.items() if isinstance(exception, type_)), None)
    own_traceback = "" if isinstance(exception, SkipMessage) else format_traceback(exception, redact)
    return {
        "reason": reason or DeadLetterReason.RETRIES_EXHAUSTED,
        "exception": type(exception).__name__ if exception else "",
        "error": error_text(exception, redact) if exception else "",
        "traceback": own_traceback or last_traceback,
        "died_at": round(died_at * 1000),
    }


def error_text(exception: BaseException, redact: Callable[[str], str]) -> str:
    """Return an exception's message, masked before it is truncated so that no part of a secret remains."""
    return redact(str(exception))[:ERROR_CHARACTERS]


def format_traceback(exception: BaseException | None, redact: Callable[[str], str]) -> str:
    """Return an exception's traceback, masked, and then cut in the middle if it is too long."""
    if exception is None or exception.__traceback__ is None:
        return ""
    text = redact("".join(traceback.format_exception(exception, limit=30)))
    half = TRACEBACK_CHARACTERS // 2
    return text if len(text) <= TRACEBACK_CHARACTERS else f"{text[:half]}\n[…]\n{text[-half:]}"


def undecodable_letter(data: bytes, redis_id: str, queue: str, error: DecodeError) -> Message[Any]:
    """Wrap bytes that are not a message in a dead letter, so that nothing is lost and listings can show them."""
    now = time.time()
    cause = error.error or error
    details = death_details(error, now, "") | {"error": f"{error.message}: {cause}"[:ERROR_CHARACTERS]}
    return Message(
        queue_name=q_name(queue),
        actor_name="",
        args=(),
        kwargs={},
        options={
            "redis_message_id": redis_id,
            options.DEAD_LETTER: details | {"raw": data.decode("utf-8", "backslashreplace")},
        },
        message_timestamp=round(now * 1000),
    )


def parse_dead_letter(redis_id: str, queue: str, data: bytes, died_at_ms: float) -> DeadLetter:
    """Parse a dead letter, including one that plain dramatiq wrote without a history.

    Args:
        redis_id: Id of the letter in Redis.
        queue: Name of the queue to which the letter belongs.
        data: Stored bytes.
        died_at_ms: The letter's score in Redis, which is its time of death in Unix ms.
    """
    try:
        message: Message[Any] = Message.decode(data)
    except DecodeError as error:
        message = undecodable_letter(data, redis_id, queue, error)
    details = message.options.get(options.DEAD_LETTER, {})
    failures = message.options.get(options.FAILURES, [])
    trace = details.get("traceback") or message.options.get("traceback") or ""
    last_line = trace.strip().rpartition("\n")[2]
    return DeadLetter(
        id=redis_id,
        queue=queue,
        task=message.actor_name,
        args=message.args,
        kwargs=message.kwargs,
        message_id=message.message_id,
        reason=details.get("reason", DeadLetterReason.RETRIES_EXHAUSTED),
        exception=details.get("exception") or last_line.partition(":")[0].rpartition(".")[2],
        error=details.get("error") or last_line.partition(": ")[2],
        traceback=trace,
        attempts=len(failures) or message.options.get("retries", 0),
        failures=tuple(failure | {"at": failure["at"] / 1000} for failure in failures),
        enqueued_at=message.message_timestamp / 1000,
        died_at=died_at_ms / 1000,
        schedule=message.options.get(options.SCHEDULE, ""),
        correlation_id=message.options.get(options.CORRELATION_ID, ""),
        raw=details.get("raw", ""),
    )


def requeued_message(data: bytes, now_ms: int) -> bytes:
    """Return a dead letter's message as a new message with age 0 and without retries or history.

    Raises:
        DecodeError: The letter does not contain a message.
    """
    message: Message[Any] = Message.decode(data)
    if not message.actor_name:
        raise DecodeError("the dead letter does not contain a message", data, None)
    spent = {"retries", "traceback", "requeue_timestamp", "eta", options.DELAYED, options.FAILURES, options.DEAD_LETTER}
    kept = {name: value for name, value in message.options.items() if name not in spent}
    fields = message.asdict() | {
        "queue_name": q_name(message.queue_name),
        "options": kept | {options.READY_AT: now_ms},
        "message_timestamp": now_ms,
    }
    return json.dumps(fields, separators=(",", ":")).encode()
