"""Describes exceptions. Every text that FinanceHub makes of an exception of a task comes from this module.

An exception is foreign code: its `__str__` may raise anything, return no string or return megabytes, its class may have
any name, and its text may contain secrets and control characters. No function here raises.

- `exception_name(error)`: the name of its class.
- `exception_message(error)`: its message in one line.
- `describe_exception(error)`: both, such as `ValueError: no price`.
- `format_traceback(error)`: its traceback without the frames of dramatiq, or nothing if the error is expected.
- `full_traceback(error)`: the same for any error.
"""

import itertools
import traceback
from collections.abc import Callable, Sequence
from types import TracebackType

from financehub_shared.core.errors import FinanceHubError
from financehub_shared.core.text import one_line, printable, safe_text, type_name

#: Longer messages are truncated. An error of a task names up to five reasons, each with a sentence.
MESSAGE_CHARACTERS = 1_000
#: Longer tracebacks are cut in the middle, because the first frames and the error itself matter most.
TRACEBACK_CHARACTERS = 8_000
#: Text beyond this is ignored, so that an error of 10 MB costs a millisecond.
_READ_CHARACTERS = 32_768
#: The end of text that was cut is dropped after masking, because the cut may have split a secret. It is longer than any
#: secret that an error may quote.
_DROPPED_CHARACTERS = 8_192
_MAX_FRAMES = 30
#: Limits beyond which an exception is shown without its causes, contexts, notes and the exceptions of a group.
_MAX_EXCEPTIONS = 100
_MAX_CHARACTERS = 262_144
#: The standard library shows no more exceptions of a group.
_GROUP_WIDTH = 15
#: Modules that only call the task. Their frames precede those of the task in every traceback.
_CALLERS = ("dramatiq.", "concurrent.futures.", "asyncio.", "financehub_shared.worker.actors")


def exception_name(error: BaseException) -> str:
    """Return the name of an exception's class."""
    return type_name(type(error))


def exception_message(
    error: BaseException, redact: Callable[[str], str] = str, *, limit: int = MESSAGE_CHARACTERS
) -> str:
    """Return an exception's message in one line.

    Args:
        error: Any exception.
        redact: Masks secrets. The message is masked before it is truncated, so that no part of a secret remains.
        limit: Maximum number of characters.
    """
    return one_line(_masked(safe_text(error), redact)[:limit])[:limit]


def describe_exception(error: BaseException, redact: Callable[[str], str] = str) -> str:
    """Return the class and the message of an exception in one line, such as `ValueError: no price`."""
    message = exception_message(error, redact)
    return f"{exception_name(error)}: {message}"[:MESSAGE_CHARACTERS] if message else exception_name(error)


def is_expected(error: BaseException | None) -> bool:
    """Whether an exception was raised deliberately, so that its message says everything that its traceback could."""
    return isinstance(error, FinanceHubError)


def format_traceback(error: BaseException | None, redact: Callable[[str], str] = str) -> str:
    """Return an exception's traceback, masked, and cut in the middle if it is too long.

    It is empty if the exception is expected.

    Args:
        error: Any exception.
        redact: Masks secrets.
    """
    return "" if error is None or is_expected(error) else full_traceback(error, redact)


def full_traceback(error: BaseException, redact: Callable[[str], str] = str) -> str:
    """Return an exception's traceback as `format_traceback` does, but also that of an expected exception.

    Args:
        error: Any exception.
        redact: Masks secrets.
    """
    trace: TracebackType | None = BaseException.__dict__["__traceback__"].__get__(error)  # a subclass cannot change it
    own = _without_callers(trace) if trace is not None else None
    frames = "".join(["Traceback (most recent call last):\n", *traceback.format_tb(own, limit=_MAX_FRAMES)])
    short = f"{frames}{describe_exception(error, redact)}\n"
    try:
        text = (
            short
            if _is_huge(error)
            else "".join(traceback.format_exception(type(error), error, own, limit=_MAX_FRAMES))
        )
    except BaseException:  # noqa: BLE001 — attributes such as `__notes__` may raise anything when they are read
        text = short
    # The causes come first, and there may be thousands of them.
    end = f"\n[…]\n{redact(short)}" if len(text) > _READ_CHARACTERS else ""
    text = _masked(text, redact) + end
    half = TRACEBACK_CHARACTERS // 2
    shown = text if len(text) <= TRACEBACK_CHARACTERS else f"{text[:half]}\n[…]\n{text[-half:]}"
    return printable(shown, keep_lines=True)


def _is_huge(error: BaseException) -> bool:
    """Whether the standard library could take seconds for a traceback, because it indents each line of each message."""
    if len(safe_text(error)) > _READ_CHARACTERS:
        return True
    found: dict[int, BaseException] = {}
    waiting: list[BaseException | None] = [error]
    characters = 0
    while waiting:
        each = waiting.pop()
        if each is None or id(each) in found:
            continue
        found[id(each)] = each
        notes = getattr(each, "__notes__", ())
        characters += len(safe_text(each))
        if not isinstance(notes, Sequence):
            return True
        # a text is a sequence too, and each of its characters would be a note
        characters += sum(len(safe_text(note)) + 1 for note in itertools.islice(notes, _MAX_CHARACTERS))
        if len(found) > _MAX_EXCEPTIONS or characters > _MAX_CHARACTERS:
            return True
        waiting += [each.__cause__, each.__context__]
        if isinstance(each, BaseExceptionGroup):
            waiting += each.exceptions[:_GROUP_WIDTH]
    return False


def _masked(text: str, redact: Callable[[str], str]) -> str:
    if len(text) <= _READ_CHARACTERS:
        return redact(text)
    return redact(text[:_READ_CHARACTERS])[:-_DROPPED_CHARACTERS]


def _without_callers(trace: TracebackType) -> TracebackType:
    """Return the traceback from the first frame of the task on; the whole traceback if it never reached the task."""
    own: TracebackType | None = trace
    while own is not None and _is_caller(own.tb_frame.f_globals.get("__name__")):
        own = own.tb_next
    return own or trace


def _is_caller(module: object) -> bool:
    return isinstance(module, str) and module.startswith(_CALLERS)
