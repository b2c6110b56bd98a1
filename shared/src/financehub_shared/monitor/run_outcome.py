"""Decides how an attempt ended, in one place for logs, metrics and records."""

from collections.abc import Callable

from dramatiq import MessageProxy
from dramatiq.errors import ActorNotFound, DecodeError
from dramatiq.middleware import Shutdown, SkipMessage

from financehub_shared.broker.dead_letter_reason import describe_unknown_task
from financehub_shared.core.exception_text import describe_exception, exception_message
from financehub_shared.monitor.run_state import RunState


def outcome_of(message: MessageProxy, exception: BaseException | None) -> RunState:
    """Return a run's state after an attempt.

    Call this function after dramatiq's `Retries`, which fails the message if no retry is left.
    """
    if message.failed:
        return RunState.DEAD_LETTERED
    if isinstance(exception, Shutdown):
        return RunState.QUEUED  # its worker stops, and the message is requeued unchanged
    return RunState.SUCCEEDED if exception is None else RunState.RETRYING


def outcome_of_skip(message: MessageProxy) -> RunState:
    """Return the state of a run that middleware refused: dead-lettered if the message failed, otherwise skipped."""
    return RunState.DEAD_LETTERED if message.failed else RunState.SKIPPED


def is_of_unknown_task(message: MessageProxy) -> bool:
    """Whether a message was dead-lettered because no actor has its name or because it was not a valid message."""
    return isinstance(message._exception, ActorNotFound | DecodeError)  # noqa: SLF001 — dramatiq offers no public accessor


def describe(exception: BaseException | None, redact: Callable[[str], str]) -> str:
    """Describe an exception in one line for users.

    Args:
        exception: Exception that ended the attempt, if any.
        redact: Masks secrets. The description is masked before it is truncated, so that no part of a secret remains.
    """
    if exception is None:
        return ""
    if isinstance(exception, ActorNotFound):
        return redact(describe_unknown_task(exception))
    if isinstance(exception, SkipMessage):
        return exception_message(exception, redact)
    return describe_exception(exception, redact)
