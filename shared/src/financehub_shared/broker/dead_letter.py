"""A dead letter: a message that was given up, with why, when and after what."""

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

#: A traceback longer than this is cut in its middle; the first frames and the error itself matter.
TRACEBACK_CHARACTERS = 8_000
#: An error's text longer than this is cut.
ERROR_CHARACTERS = 1_000


class Reason(StrEnum):
    """Why a message was given up; a label of metrics."""

    RETRIES_EXHAUSTED = "retries-exhausted"
    INVALID_ARGUMENTS = "invalid-arguments"
    KILLS_WORKER = "kills-worker"
    TOO_OLD = "too-old"
    UNKNOWN_TASK = "unknown-task"
    UNDECODABLE = "undecodable"


class KillsWorkerError(SkipMessage):
    """Too many workers died holding the message."""


class TooOldError(SkipMessage):
    """The message is past its age limit."""


_REASONS: Mapping[type[BaseException], Reason] = {
    InvalidArgumentsError: Reason.INVALID_ARGUMENTS,
    KillsWorkerError: Reason.KILLS_WORKER,
    TooOldError: Reason.TOO_OLD,
    ActorNotFound: Reason.UNKNOWN_TASK,
    DecodeError: Reason.UNDECODABLE,
}


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One dead letter.

    Args:
        id: what the dead letters are addressed by; a message that died twice has two over time.
        queue, task, args, kwargs, message_id: of the message.
        reason: why it was given up.
        exception: class name of the last error.
        error: its text.
        traceback: of the last failed try, if one was made.
        tries: how many tries failed; workers that died are not among them.
        failures: each failed try, oldest first: at (Unix seconds), exception, error.
        enqueued_at: when the message was first enqueued, Unix seconds.
        died_at: when it was given up, Unix seconds.
        schedule: which schedule enqueued it; empty for none.
        correlation_id: ties its log lines together.
        raw: what lay in the queue, where that was no message.
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
    tries: int
    failures: tuple[Mapping[str, Any], ...]
    enqueued_at: float
    died_at: float
    schedule: str = ""
    correlation_id: str = ""
    raw: str = ""


def history(
    exception: BaseException | None, died_at: float, last_traceback: str, redact: Callable[[str], str] = str
) -> dict[str, Any]:
    """What is written into a message when it is given up.

    Args:
        exception: what ended it.
        died_at: Unix seconds.
        last_traceback: of its last failed try, for an ending that has no traceback of its own.
        redact: masks secrets; none of them may lie in Redis.
    """
    reason = next((reason for type_, reason in _REASONS.items() if isinstance(exception, type_)), None)
    own = "" if isinstance(exception, SkipMessage) else format_traceback(exception, redact)
    return {
        "reason": reason or Reason.RETRIES_EXHAUSTED,
        "exception": type(exception).__name__ if exception else "",
        "error": error_text(exception, redact) if exception else "",
        "traceback": own or last_traceback,
        "died_at": round(died_at * 1000),
    }


def error_text(exception: BaseException, redact: Callable[[str], str]) -> str:
    """What an exception says: masked, then cut, so that no half of a secret stays."""
    return redact(str(exception))[:ERROR_CHARACTERS]


def format_traceback(exception: BaseException | None, redact: Callable[[str], str]) -> str:
    """Traceback of `exception`, masked, then cut in its middle where it is too long."""
    if exception is None or exception.__traceback__ is None:
        return ""
    text = redact("".join(traceback.format_exception(exception, limit=30)))
    half = TRACEBACK_CHARACTERS // 2
    return text if len(text) <= TRACEBACK_CHARACTERS else f"{text[:half]}\n[…]\n{text[-half:]}"


def undecodable(data: bytes, redis_id: str, queue: str, error: DecodeError) -> Message[Any]:
    """A dead letter around bytes that are no message, so that nothing is lost and listings can show it."""
    now = time.time()
    cause = error.error or error
    ending = history(error, now, "") | {"error": f"{error.message}: {cause}"[:ERROR_CHARACTERS]}
    return Message(
        queue_name=q_name(queue),
        actor_name="",
        args=(),
        kwargs={},
        options={
            "redis_message_id": redis_id,
            options.DEAD_LETTER: ending | {"raw": data.decode("utf-8", "backslashreplace")},
        },
        message_timestamp=round(now * 1000),
    )


def parse(redis_id: str, queue: str, data: bytes, died_at_ms: float) -> DeadLetter:
    """Read a dead letter, also one that a plain dramatiq wrote without a history.

    Args:
        redis_id: its id in Redis.
        queue: whose dead letters it lies among.
        data: as stored.
        died_at_ms: its score in Redis.
    """
    try:
        message: Message[Any] = Message.decode(data)
    except DecodeError as error:
        message = undecodable(data, redis_id, queue, error)
    ending = message.options.get(options.DEAD_LETTER, {})
    failures = message.options.get(options.FAILURES, [])
    trace = ending.get("traceback") or message.options.get("traceback") or ""
    last_line = trace.strip().rpartition("\n")[2]
    return DeadLetter(
        id=redis_id,
        queue=queue,
        task=message.actor_name,
        args=message.args,
        kwargs=message.kwargs,
        message_id=message.message_id,
        reason=ending.get("reason", Reason.RETRIES_EXHAUSTED),
        exception=ending.get("exception") or last_line.partition(":")[0].rpartition(".")[2],
        error=ending.get("error") or last_line.partition(": ")[2],
        traceback=trace,
        tries=len(failures) or message.options.get("retries", 0),
        failures=tuple(failure | {"at": failure["at"] / 1000} for failure in failures),
        enqueued_at=message.message_timestamp / 1000,
        died_at=died_at_ms / 1000,
        schedule=message.options.get(options.SCHEDULE, ""),
        correlation_id=message.options.get(options.CORRELATION_ID, ""),
        raw=ending.get("raw", ""),
    )


def revived(data: bytes, now_ms: int) -> bytes:
    """The message of a dead letter as if it were new: no retries, no history, full age.

    Raises:
        DecodeError: there is no message in it.
    """
    message: Message[Any] = Message.decode(data)
    if not message.actor_name:
        raise DecodeError("the dead letter holds no message", data, None)
    spent = {"retries", "traceback", "requeue_timestamp", "eta", options.DELAYED, options.FAILURES, options.DEAD_LETTER}
    kept = {name: value for name, value in message.options.items() if name not in spent}
    fields = message.asdict() | {
        "queue_name": q_name(message.queue_name),
        "options": kept | {options.READY_AT: now_ms},
        "message_timestamp": now_ms,
    }
    return json.dumps(fields, separators=(",", ":")).encode()
