"""The door: the only place where a message is read from Redis. Everything behind it may rely on what is checked here.

Any client may write anything into a queue. An entry that cannot be trusted is refused with a reason, and the consumer
keeps it apart as a dead letter. It never reaches middleware or a task, where it could end a thread.
"""

import itertools
import json
import time
from typing import Any

from dramatiq import Message
from dramatiq.common import dq_name

from financehub_shared.broker import options
from financehub_shared.broker.dead_letter_reason import DeadLetterReason, MessageRefusedError
from financehub_shared.broker.option_rules import OPTION_RULES, find_invalid_field, find_invalid_option, is_name
from financehub_shared.core.errors import InvalidArgumentsError

#: The default of `max_message_bytes`. The largest arguments of a built-in task take about 10 kB.
MAX_MESSAGE_BYTES = 65_536
#: The history of its failures, which a retry carries, is not part of the limit. It has 20 failures of 1,000 characters
#: and a traceback of 8,000, and JSON writes some characters as 12 bytes (`\ud83d\ude00`).
HISTORY_BYTES = 400_000
#: Number of bytes that a callback may have beyond the limit. It carries the message that it follows, which may have the
#: largest size, and an error of 1,000 characters.
CALLBACK_BYTES = 20_000
#: Listings and statistics read no more of a message or dead letter. The dead letter of a message that a worker could
#: read is shorter, even if each of its bytes is escaped.
MAX_READ_BYTES = 8_000_000
#: Largest factor by which JSON text of other clients grows when Python writes it: `ü` as `\u00fc`, or `1e15` in full.
_LONGEST_REWRITING = 4
#: Options that processing adds to a message or changes. They are short, except the history.
_PROCESSING = frozenset(
    {
        *("redis_message_id", "eta", "retries", "requeue_timestamp", "traceback"),
        *(options.FAILURES, options.READY_AT, options.DELAYED, options.CORRELATION_ID),
    }
)
#: Levels of nested lists and objects. Python encodes and decodes about 900, in a thread that has used no stack.
MAX_DEPTH = 200
#: Bracket → change of the depth.
_STEPS = {ord("["): 1, ord("{"): 1, ord("]"): -1, ord("}"): -1}
#: All bytes except brackets and quotes.
_IRRELEVANT = bytes(byte for byte in range(256) if byte not in {*_STEPS, ord('"')})


def read_message(
    data: bytes, redis_id: str, queue: str, max_bytes: int = MAX_MESSAGE_BYTES, now: float | None = None
) -> Message[Any]:
    """Read a message from any client.

    Args:
        data: The queue entry.
        redis_id: Its id in Redis, which replaces the one that the message states.
        queue: The queue that contains it, or its delay queue. It replaces the one that the message states.
        max_bytes: Largest size of a message.
        now: Creation time in Unix seconds of a message that states none; by default the time of this machine.

    Raises:
        MessageRefusedError: The entry is not a message that a worker can trust.
    """
    if not is_name(redis_id):
        problem = "its id in Redis is empty, too long or not UTF-8"
        raise _refused(data, DeadLetterReason.UNDECODABLE, problem)
    fields = read_fields(data, max_bytes)
    values = fields["options"]
    for name in [name for name, value in values.items() if value is None and name in OPTION_RULES]:
        # `max_retries: null` means without a limit. For all other options, dramatiq means a missing option.
        if name != "max_retries":
            del values[name]
    values["redis_message_id"] = redis_id
    fields["queue_name"] = queue
    # Random values, as in dramatiq, would change with each delivery.
    fields.setdefault("message_id", redis_id)
    fields.setdefault("message_timestamp", round((time.time() if now is None else now) * 1000))
    if queue == dq_name(queue):
        values.setdefault("eta", 0)  # it is due now; a worker would otherwise run it in the delay queue
    return Message(**fields)


def read_fields(data: bytes, max_bytes: int = MAX_MESSAGE_BYTES) -> dict[str, Any]:
    """Return the checked fields of a message. See `read_message`."""
    if len(data) > max_bytes + HISTORY_BYTES:
        raise _refused(data, DeadLetterReason.TOO_LARGE, too_large(len(data), max_bytes))
    fields = decode_object(data)
    _check_rules(fields, data)
    if len(data) * _LONGEST_REWRITING > max_bytes and (size := _size(fields)) > max_bytes + _callback_bytes(fields):
        raise MessageRefusedError(DeadLetterReason.TOO_LARGE, too_large(size, max_bytes), data, fields)
    return fields


def check_fields(fields: dict[str, Any], data: bytes) -> None:
    """Check the fields of messages that will be sent later. Their size is not checked.

    Args:
        fields: The fields that the messages share, as JSON would decode them.
        data: The fields as JSON, at least those that contain nested lists and objects.

    Raises:
        MessageRefusedError: A worker would refuse the messages.
    """
    _check_depth(data)
    _check_rules(fields, data)


def check_size(fields: dict[str, Any], max_bytes: int) -> None:
    """Check a message that is about to be sent.

    Args:
        fields: The fields of the message.
        max_bytes: Largest size of a message.

    Raises:
        InvalidArgumentsError: The message is too large.
    """
    if (size := _size(fields)) > max_bytes + _callback_bytes(fields):
        raise InvalidArgumentsError(fields["actor_name"], "kwargs", too_large(size, max_bytes))


def too_large(size: int, max_bytes: int) -> str:
    """Return the problem of a message that is too large."""
    return (
        f"the message has {size:,} bytes, and the limit FINANCEHUB_MAX_MESSAGE_BYTES is {max_bytes:,}; "
        "store large data elsewhere and send its key"
    )


def without_history(fields: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of a message without the history of its failures."""
    history = {options.FAILURES, "traceback"}
    return fields | {"options": {name: value for name, value in fields["options"].items() if name not in history}}


def _callback_bytes(fields: dict[str, Any]) -> int:
    return CALLBACK_BYTES if fields["options"].get(options.CALLBACK) else 0


def _size(fields: dict[str, Any]) -> int:
    """Return the size of a message in bytes: that of its task's name, its arguments and its options.

    A process that reads a message and writes it again, such as for a retry, does not change this size. Otherwise, a
    message that was accepted would be refused later.
    """
    kept = {name: value for name, value in fields["options"].items() if name not in _PROCESSING and value is not None}
    measured = {"actor_name": fields["actor_name"], "args": fields["args"], "kwargs": fields["kwargs"], "options": kept}
    return len(json.dumps(measured, separators=(",", ":")))


def decode_object(data: bytes) -> dict[str, Any]:
    """Decode a JSON object of which nothing is known.

    Raises:
        MessageRefusedError: The data is not a JSON object.
    """
    _check_depth(data)
    try:
        fields = json.loads(data.decode())
    except (ValueError, RecursionError) as error:
        raise _refused(data, DeadLetterReason.UNDECODABLE, f"it is not JSON in UTF-8: {error}") from error
    if not isinstance(fields, dict):
        raise _refused(data, DeadLetterReason.UNDECODABLE, "it is not a JSON object")
    return fields


def _check_rules(fields: dict[str, Any], data: bytes) -> None:
    if problem := find_invalid_field(fields):
        raise _refused(data, DeadLetterReason.UNDECODABLE, f"it is not a message: {problem}")
    if problem := find_invalid_option(fields["options"]):
        raise MessageRefusedError(DeadLetterReason.INVALID_OPTIONS, problem, data, fields)


def _check_depth(data: bytes) -> None:
    if (data.count(b"[") + data.count(b"{") > MAX_DEPTH) and _depth(data) > MAX_DEPTH:
        raise _refused(data, DeadLetterReason.UNDECODABLE, f"it is nested deeper than {MAX_DEPTH} levels")


def _depth(data: bytes) -> int:
    """Return the depth of nested lists and objects in JSON text. Brackets in strings do not count.

    The text may have megabytes, so there is no loop over its bytes in Python. After a backslash outside a string, the
    result may be wrong, and no decoder reads further.
    """
    text = data.replace(b"\\\\", b"").replace(b'\\"', b"").translate(None, _IRRELEVANT).replace(b'""', b"")
    brackets = b"".join(text.split(b'"')[::2])
    return max(itertools.accumulate(map(_STEPS.__getitem__, brackets)), default=0)


def _refused(data: bytes, reason: DeadLetterReason, problem: str) -> MessageRefusedError:
    return MessageRefusedError(reason, problem, data)
