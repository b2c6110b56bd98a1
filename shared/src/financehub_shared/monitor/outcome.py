"""How one try ended, decided once for logs, metrics and records."""

from dramatiq import MessageProxy
from dramatiq.middleware import Shutdown, SkipMessage

from financehub_shared.monitor.states import RunState


def outcome_of(message: MessageProxy, exception: BaseException | None) -> RunState:
    """What became of a try.

    Called after dramatiq's `Retries` has decided: it fails the message when no retry is left.
    """
    if message.failed:
        return RunState.DEAD_LETTERED
    if isinstance(exception, Shutdown):
        return RunState.QUEUED  # its worker stops; it goes back as it was
    return RunState.SUCCEEDED if exception is None else RunState.RETRYING


def outcome_of_skip(message: MessageProxy) -> RunState:
    """What became of a message that a middleware refused: dead-lettered if it failed it, else skipped."""
    return RunState.DEAD_LETTERED if message.failed else RunState.SKIPPED


def reason_of(exception: BaseException | None) -> str:
    """A short, bounded word for why: the exception's class."""
    return type(exception).__name__ if exception is not None else "rejected"


def describe(exception: BaseException | None) -> str:
    """One line for people, at most 500 characters."""
    if exception is None or isinstance(exception, SkipMessage):
        return str(exception or "")[:500]
    return f"{type(exception).__name__}: {exception}"[:500]
