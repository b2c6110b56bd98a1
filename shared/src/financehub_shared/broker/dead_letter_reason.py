"""The reasons for which a message becomes a dead letter, and the errors that state them."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from dramatiq.errors import ActorNotFound, DecodeError
from dramatiq.middleware import SkipMessage

from financehub_shared.core.errors import FinanceHubError


class DeadLetterReason(StrEnum):
    """The reason why a message was dead-lettered. Metrics use it as a label."""

    RETRIES_EXHAUSTED = "retries-exhausted"
    INVALID_ARGUMENTS = "invalid-arguments"
    KILLS_WORKER = "kills-worker"
    TOO_OLD = "too-old"
    UNKNOWN_TASK = "unknown-task"
    UNDECODABLE = "undecodable"
    INVALID_OPTIONS = "invalid-options"
    TOO_LARGE = "too-large"
    FOLLOW_UP_FAILED = "follow-up-failed"


#: Messages with these reasons never reached a task. Their letters keep the content of the queue entry as text, and
#: requeueing them cannot help, because they would be refused again.
REFUSED_AT_THE_DOOR = frozenset(
    {DeadLetterReason.UNDECODABLE, DeadLetterReason.INVALID_OPTIONS, DeadLetterReason.TOO_LARGE}
)


#: Largest number of characters of the name of an unknown task in a message. Another program may have written it.
_NAME_CHARACTERS = 200


def describe_unknown_task(error: ActorNotFound) -> str:
    """Return why the message of an unknown task was dead-lettered. Dramatiq's error contains only the name."""
    name = str(error)
    shown = name if len(name) <= _NAME_CHARACTERS else f"{name[:_NAME_CHARACTERS]}…"
    return f"the worker that received the message does not know the task {shown}; start a worker that declares it"


# Dramatiq requires the following errors to derive from its own, so they cannot be in core.errors.


class KillsWorkerError(SkipMessage):
    """Too many workers died while they held the message."""


class TooOldError(SkipMessage):
    """The message is past its age limit."""


class MessageRefusedError(FinanceHubError, DecodeError):
    """A queue entry is not a message that a worker can trust.

    Args:
        reason: One of `REFUSED_AT_THE_DOOR`.
        problem: What is wrong, and what is expected.
        data: The queue entry.
        fields: The fields of the message, if they are valid and only the options or the size are not.
    """

    def __init__(
        self, reason: DeadLetterReason, problem: str, data: bytes, fields: Mapping[str, Any] | None = None
    ) -> None:
        DecodeError.__init__(self, problem, data, None)
        self.reason = reason
        self.fields = fields
