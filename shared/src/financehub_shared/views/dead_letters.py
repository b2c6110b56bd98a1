"""The view of a dead letter."""

import math
from collections.abc import Mapping
from typing import Annotated, Any

from typing_extensions import TypedDict

from financehub_shared.broker.dead_letter import DeadLetter
from financehub_shared.views.fields import Field
from financehub_shared.views.formats import Time, iso_time


class FailureView(TypedDict):
    """One failed attempt of a message."""

    at: Annotated[Time | None, Field(description="The time of the failure.")]
    exception: Annotated[str, Field(description="The class name of the error.", examples=["ProviderTimeoutError"])]
    error: Annotated[str, Field(description="The error.")]


class DeadLetterView(TypedDict):
    """One message that failed permanently."""

    id: Annotated[str, Field(description="The id of the dead letter.")]
    queue: Annotated[str, Field(description="The queue of the message.", examples=["medium"])]
    task: Annotated[str, Field(description="The task of the message. Empty if it is not a valid message.")]
    args: Annotated[list[Any], Field(description="The positional arguments.")]
    kwargs: Annotated[Mapping[str, Any], Field(description="The keyword arguments.")]
    message_id: Annotated[
        str, Field(description="The id of the message and of its run. Empty if it is not a valid message.")
    ]
    reason: Annotated[str, Field(description="Why the message is a dead letter.", examples=["retries-exhausted"])]
    exception: Annotated[str, Field(description="The class name of the last error.", examples=["TaskFailedError"])]
    error: Annotated[str, Field(description="The last error.")]
    traceback: Annotated[str, Field(description="The traceback of the last failed attempt. Empty if there was none.")]
    attempts: Annotated[
        int, Field(description="The number of failed attempts, without those that ended with their worker.")
    ]
    failures: Annotated[list[FailureView], Field(description="The failed attempts, oldest first.")]
    enqueued_at: Annotated[Time | None, Field(description="The time at which the message was first enqueued.")]
    died_at: Annotated[Time | None, Field(description="The time at which the message became a dead letter.")]
    schedule: Annotated[
        str, Field(description="The schedule that enqueued the message, as `namespace/name`. Empty if there is none.")
    ]
    correlation_id: Annotated[str, Field(description="The id that all log lines of the run share.")]
    raw: Annotated[str, Field(description="The content of the queue entry if it was not a message, otherwise empty.")]


def dead_letter_view(letter: DeadLetter) -> DeadLetterView:
    """Return the view of a dead letter."""
    return {
        "id": letter.id,
        "queue": letter.queue,
        "task": letter.task,
        "args": _finite(list(letter.args)),
        "kwargs": _finite(dict(letter.kwargs)),
        "message_id": letter.message_id,
        "reason": letter.reason,
        "exception": letter.exception,
        "error": letter.error,
        "traceback": letter.traceback,
        "attempts": letter.attempts,
        "failures": [
            {"at": iso_time(failure["at"]), "exception": failure["exception"], "error": failure["error"]}
            for failure in letter.failures
        ],
        "enqueued_at": iso_time(letter.enqueued_at),
        "died_at": iso_time(letter.died_at),
        "schedule": letter.schedule,
        "correlation_id": letter.correlation_id,
        "raw": letter.raw,
    }


def _finite(value: Any) -> Any:
    """Return a value with NaN and infinities as strings, because Python's JSON has them and others' JSON does not."""
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, list):
        return [_finite(each) for each in value]
    if isinstance(value, dict):
        return {name: _finite(each) for name, each in value.items()}
    return value
