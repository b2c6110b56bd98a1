"""How one try ended, decided once for logs, metrics and records."""

from collections.abc import Callable

from dramatiq import MessageProxy
from dramatiq.errors import ActorNotFound, DecodeError
from dramatiq.middleware import Shutdown, SkipMessage

from financehub_shared.monitor.states import RunState

#: Names that no actor has come from outside and are without bound; records and labels share this one.
UNKNOWN_TASK = "(unknown)"
#: An error's text longer than this is cut.
DESCRIPTION_CHARACTERS = 500


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


def of_unknown_task(message: MessageProxy) -> bool:
    """Whether it was given up because no actor has its name, or because it was no message at all."""
    return isinstance(message._exception, ActorNotFound | DecodeError)  # noqa: SLF001 — dramatiq hands it over no other way


def describe(exception: BaseException | None, redact: Callable[[str], str]) -> str:
    """One line for people: masked, then cut, so that no half of a secret stays.

    Args:
        exception: what ended the try, if anything did.
        redact: masks secrets.
    """
    if exception is None:
        return ""
    kind = "" if isinstance(exception, SkipMessage) else f"{type(exception).__name__}: "
    return redact(f"{kind}{exception}")[:DESCRIPTION_CHARACTERS]
