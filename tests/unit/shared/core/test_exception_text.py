"""The texts of exceptions, which are foreign code."""

import sys
import time
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from financehub_shared.core.errors import TaskFailedError
from financehub_shared.core.exception_text import (
    MESSAGE_CHARACTERS,
    TRACEBACK_CHARACTERS,
    describe_exception,
    exception_message,
    exception_name,
    format_traceback,
    full_traceback,
)
from support.hostile_exceptions import HOSTILE

SECRET = "s3cret-of-the-test"


def redact(text: str) -> str:
    return text.replace(SECRET, "***")


def raised(error: BaseException) -> BaseException:
    """Return the exception with a traceback."""
    try:
        raise error  # noqa: TRY301 — it is raised to be caught
    except BaseException as caught:  # noqa: BLE001 — some of them are not an Exception
        return caught


@pytest.mark.parametrize("build", HOSTILE.values(), ids=HOSTILE)
def test_texts_of_a_hostile_exception_name_its_class_and_are_bounded(build: Callable[[], BaseException]) -> None:
    """Whatever an exception does, it is described in one printable line with its class, and has a traceback."""
    error = raised(build())
    started = time.monotonic()
    name, text, trace = exception_name(error), describe_exception(error, redact), format_traceback(error, redact)
    assert time.monotonic() - started < 60
    assert name == type.__dict__["__name__"].__get__(type(error)).encode("unicode_escape").decode()[:100]
    assert text.startswith(name[:50])
    assert text.isprintable()
    assert len(text) <= MESSAGE_CHARACTERS
    assert len(exception_message(error, redact)) <= MESSAGE_CHARACTERS
    assert "Traceback" in trace or "Exception Group" in trace
    assert "raised" in trace  # the function of this test
    assert trace.replace("\n", "").replace("\t", "").isprintable()
    assert len(trace) <= TRACEBACK_CHARACTERS + 10


@given(st.text(st.characters(exclude_categories=()), max_size=40), st.integers(0, 40_000))
def test_message_with_a_secret_anywhere_shows_no_part_of_it(text: str, position: int) -> None:
    """The message is masked before it is truncated, wherever the secret is."""
    error = raised(ValueError(text + "x" * position + SECRET + text))
    for shown in (exception_message(error, redact), format_traceback(error, redact)):
        assert SECRET[:6] not in shown


@pytest.mark.parametrize("length", [32_700, 32_760, 32_768, 40_000])
def test_message_that_is_cut_within_a_secret_shows_no_part_of_it(length: int) -> None:
    """A long text is cut before it is masked, so its end is dropped: the cut may be within a secret."""
    many = SECRET * (length // len(SECRET)) + SECRET
    assert SECRET[:4] not in exception_message(ValueError(many), redact)
    assert SECRET[:4] not in full_traceback(raised(ValueError(many)), redact)


def test_traceback_of_an_expected_error_is_empty() -> None:
    """The message of an error that was raised deliberately says everything."""
    error = raised(TaskFailedError("no provider delivered"))
    assert format_traceback(error) == ""
    assert format_traceback(None) == ""
    assert "no provider delivered" in full_traceback(error)


def test_traceback_of_a_task_begins_with_the_frame_of_the_task() -> None:
    """The frames of dramatiq, which are the same in every traceback, are left out."""
    namespace = {"__name__": "dramatiq.worker"}
    exec("def process(task):\n    task()", namespace)  # noqa: S102 — a function of a module with that name

    def task() -> None:
        raise ValueError("no")

    try:
        namespace["process"](task)  # type: ignore[operator]
    except ValueError as error:
        caught = error
    caught.__traceback__ = caught.__traceback__.tb_next if caught.__traceback__ else None
    trace = format_traceback(caught)
    assert "in task" in trace
    assert "in process" not in trace
    assert sys.exception() is None


def _with_cause(other: BaseException) -> BaseException:
    error = ValueError("outer")
    error.__cause__ = other
    return error


def _with_context(other: BaseException) -> BaseException:
    error = ValueError("outer")
    error.__context__ = other
    return error


def _with_note(other: BaseException) -> BaseException:
    error = ValueError("outer")
    error.add_note(str(other))
    return error


def _with_text_as_notes(other: BaseException) -> BaseException:
    error = ValueError("outer")
    error.__notes__ = str(other)  # type: ignore[assignment]
    return error


def _far_down(other: BaseException) -> BaseException:
    for _ in range(200):
        other = _with_cause(other)
    return other


@pytest.mark.parametrize(
    "wrap",
    [
        _with_cause,
        _with_context,
        _with_note,
        _with_text_as_notes,
        _far_down,
        lambda other: BaseExceptionGroup("outer", [other]),
    ],
    ids=["cause", "context", "note", "text as notes", "far down", "group"],
)
def test_traceback_with_millions_of_lines_anywhere_takes_no_time(
    wrap: Callable[[BaseException], BaseException],
) -> None:
    """The standard library would indent each line of each message."""
    error = raised(wrap(ValueError("\n" * 5_000_000)))
    started = time.process_time()
    trace = full_traceback(error)
    assert time.process_time() - started < 0.5
    assert "outer" in trace
    assert "raised" in trace
