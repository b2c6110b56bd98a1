"""The dead letter: a message that failed permanently, with the reason, the time and the history of its errors."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from dramatiq import Message
from dramatiq.common import q_name
from dramatiq.errors import ActorNotFound
from dramatiq.middleware import SkipMessage

from financehub_shared.broker import options
from financehub_shared.broker.dead_letter_reason import (
    REFUSED_AT_THE_DOOR,
    DeadLetterReason,
    KillsWorkerError,
    MessageRefusedError,
    TooOldError,
    describe_unknown_task,
)
from financehub_shared.broker.door import decode_object, read_fields
from financehub_shared.broker.option_rules import LATEST_MS, find_invalid_field, valid_options
from financehub_shared.core.errors import FollowUpError, InvalidArgumentsError
from financehub_shared.core.exception_text import (
    exception_message,
    exception_name,
    format_traceback,
)
from financehub_shared.redis.text import escaped_text

_REASONS: Mapping[type[BaseException], DeadLetterReason] = {
    InvalidArgumentsError: DeadLetterReason.INVALID_ARGUMENTS,
    KillsWorkerError: DeadLetterReason.KILLS_WORKER,
    TooOldError: DeadLetterReason.TOO_OLD,
    ActorNotFound: DeadLetterReason.UNKNOWN_TASK,
    FollowUpError: DeadLetterReason.FOLLOW_UP_FAILED,
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
    if isinstance(exception, MessageRefusedError):
        reason: DeadLetterReason | None = exception.reason
    else:
        reason = next((reason for type_, reason in _REASONS.items() if isinstance(exception, type_)), None)
    own_traceback = "" if isinstance(exception, SkipMessage) else format_traceback(exception, redact)
    return {
        "reason": reason or DeadLetterReason.RETRIES_EXHAUSTED,
        "exception": exception_name(exception) if exception is not None else "",
        "error": _describe(exception, redact),
        "traceback": own_traceback or last_traceback,
        "died_at": round(died_at * 1000),
    }


def _describe(exception: BaseException | None, redact: Callable[[str], str]) -> str:
    if isinstance(exception, ActorNotFound):
        return redact(describe_unknown_task(exception))
    return exception_message(exception, redact) if exception is not None else ""


def refused_letter(data: bytes, redis_id: str, queue: str, error: MessageRefusedError, now: float) -> Message[Any]:
    """Wrap a queue entry that the door refused in a dead letter, so that nothing is lost and listings can show it.

    Args:
        data: The queue entry.
        redis_id: Its id in Redis.
        queue: The queue that contains it, or its delay queue.
        error: The refusal.
        now: Time of the refusal in Unix seconds.
    """
    details = death_details(error, now, "") | {"raw": escaped_text(data)}
    fields = error.fields
    return Message(
        queue_name=q_name(queue),
        actor_name=fields["actor_name"] if fields else "",
        args=(),
        kwargs={},
        options={"redis_message_id": redis_id, options.DEAD_LETTER: details},
        message_timestamp=round(now * 1000),
        **({"message_id": fields["message_id"]} if fields and "message_id" in fields else {}),
    )


def parse_dead_letter(redis_id: str, queue: str, data: bytes | None, died_at_ms: float) -> DeadLetter:
    """Parse a dead letter, including one that plain dramatiq wrote without a history, and one that is damaged.

    Args:
        redis_id: Printable id of the letter in Redis.
        queue: Name of the queue to which the letter belongs.
        data: Stored bytes; None if Redis has only the id.
        died_at_ms: The letter's score in Redis, which is its time of death in Unix ms.
    """
    died_at = min(max(died_at_ms, 0), LATEST_MS) / 1000
    if data is None:
        return _damaged_letter(redis_id, queue, "", died_at, "Redis has the id of this letter, but not its content")
    try:
        fields = decode_object(data)
    except MessageRefusedError as error:
        return _damaged_letter(redis_id, queue, escaped_text(data), died_at, str(error))
    is_refused = fields.get("actor_name") == ""  # from `refused_letter`
    if problem := find_invalid_field(fields | {"actor_name": "-"} if is_refused else fields):
        return _damaged_letter(redis_id, queue, escaped_text(data), died_at, f"it is not a message: {problem}")
    values = valid_options(fields["options"])
    details = values.get(options.DEAD_LETTER, {})
    failures = values.get(options.FAILURES, [])
    trace = details.get("traceback") or values.get("traceback") or ""
    last_line = trace.strip().rpartition("\n")[2]
    return DeadLetter(
        id=redis_id,
        queue=queue,
        task=fields["actor_name"],
        args=tuple(fields["args"]),
        kwargs=fields["kwargs"],
        message_id=fields.get("message_id", redis_id),
        reason=details.get("reason", DeadLetterReason.RETRIES_EXHAUSTED),
        exception=details.get("exception") or last_line.partition(":")[0].rpartition(".")[2],
        error=details.get("error") or last_line.partition(": ")[2],
        traceback=trace,
        attempts=len(failures) or values.get("retries", 0),
        failures=tuple(
            {"at": each["at"] / 1000, "exception": each.get("exception", ""), "error": each.get("error", "")}
            for each in failures
        ),
        enqueued_at=fields["message_timestamp"] / 1000 if "message_timestamp" in fields else died_at,
        died_at=died_at,
        schedule=values.get(options.SCHEDULE, ""),
        correlation_id=str(values.get(options.CORRELATION_ID, "")),
        raw=details.get("raw", ""),
    )


def _damaged_letter(redis_id: str, queue: str, raw: str, died_at: float, problem: str) -> DeadLetter:
    """Return a letter that contains no message. It can be shown and purged."""
    return DeadLetter(
        id=redis_id,
        queue=queue,
        task="",
        args=(),
        kwargs={},
        message_id="",
        reason=DeadLetterReason.UNDECODABLE,
        exception="",
        error=problem,
        traceback="",
        attempts=0,
        failures=(),
        enqueued_at=died_at,
        died_at=died_at,
        raw=raw,
    )


def requeued_message(data: bytes | None, now_ms: int, max_bytes: int) -> bytes:
    """Return a dead letter's message as a new message with age 0 and without retries or history.

    Args:
        data: The stored letter.
        now_ms: Time of the requeue in Unix ms.
        max_bytes: Largest size of a message.

    Raises:
        MessageRefusedError: The letter does not contain a message that a worker would accept.
    """
    if data is None:
        raise MessageRefusedError(DeadLetterReason.UNDECODABLE, "Redis does not have its content", b"")
    fields = decode_object(data)
    values = fields.get("options")
    details = valid_options(values).get(options.DEAD_LETTER, {})
    if details.get("reason") in REFUSED_AT_THE_DOOR:
        problem = f"its message was refused ({details.get('error', '')}); correct it and send it again"
        raise MessageRefusedError(DeadLetterReason(details["reason"]), problem, data)
    spent = {"retries", "traceback", "requeue_timestamp", "eta", options.DELAYED, options.FAILURES, options.DEAD_LETTER}
    if isinstance(values, dict):
        fields["options"] = {name: value for name, value in values.items() if name not in spent}
        fields["options"][options.READY_AT] = now_ms
    if isinstance(fields.get("queue_name"), str):
        fields["queue_name"] = q_name(fields["queue_name"])
    fields["message_timestamp"] = now_ms
    message = json.dumps(fields, separators=(",", ":")).encode()
    read_fields(message, max_bytes)
    return message
