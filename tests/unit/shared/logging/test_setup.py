"""The logging configuration: one line per event, in the same format for every source."""

import io
import json
import logging
import sys
import threading
import warnings
from collections.abc import Callable
from typing import Any

import pytest
import structlog

Configure = Callable[..., io.StringIO]


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    """Return the logged lines."""
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def _fail(text: str) -> None:
    raise RuntimeError(text)


def _raise_in_thread() -> None:
    def boom() -> None:
        _fail("in a thread")

    thread = threading.Thread(target=boom)
    thread.start()
    thread.join()


def _raise_at_top() -> None:
    try:
        _fail("at the top")
    except RuntimeError as error:
        sys.excepthook(type(error), error, error.__traceback__)


def _exception(log: Any) -> None:
    try:
        _fail("caught")
    except RuntimeError:
        log.exception("failed")


SOURCES: dict[str, tuple[Callable[[], object], str, str]] = {
    "structlog": (lambda: structlog.get_logger("ours").warning("event"), "warning", "ours"),
    "stdlib": (lambda: logging.getLogger("theirs").warning("event %s", "text"), "warning", "theirs"),
    "dramatiq": (lambda: logging.getLogger("dramatiq.worker").warning("Restarting"), "warning", "dramatiq.worker"),
    "redis": (lambda: logging.getLogger("redis.connection").error("lost"), "error", "redis.connection"),
    "kopf": (lambda: logging.getLogger("kopf.objects").warning("Handler"), "warning", "kopf.objects"),
    "warnings": (lambda: warnings.warn("old", DeprecationWarning, stacklevel=1), "warning", "py.warnings"),
    "structlog exception": (lambda: _exception(structlog.get_logger("ours")), "error", "ours"),
    "stdlib exception": (lambda: _exception(logging.getLogger("theirs")), "error", "theirs"),
    "uncaught": (_raise_at_top, "critical", "financehub"),
    "uncaught in a thread": (_raise_in_thread, "critical", "financehub"),
}


@pytest.mark.parametrize(("log_event", "level", "logger"), SOURCES.values(), ids=SOURCES)
def test_lines_of_every_source_have_same_shape(
    configured: Configure, log_event: Callable[[], object], level: str, logger: str
) -> None:
    """A line from any source is one JSON object with timestamp, level, event, logger, tier and the bound context."""
    stream = configured()
    with warnings.catch_warnings(), structlog.contextvars.bound_contextvars(message_id="m-1"):
        warnings.simplefilter("always")
        logging.captureWarnings(capture=True)
        log_event()
    (line,) = lines(stream)
    assert list(line)[:3] == ["timestamp", "level", "event"]
    assert (line["level"], line["logger"], line["tier"]) == (level, logger, "high")
    assert line["timestamp"].endswith("Z")
    if "thread" not in line:  # Each thread has its own context.
        assert line["message_id"] == "m-1"


def test_exception_is_one_line_with_traceback_field(configured: Configure) -> None:
    """An exception is one line, and its traceback is in the field `exception`."""
    stream = configured()
    _exception(structlog.get_logger("ours"))
    (line,) = lines(stream)
    assert line["exception"].startswith("Traceback")
    assert "RuntimeError: caught" in line["exception"]


@pytest.mark.parametrize(
    ("environ", "shown"),
    [({}, ["info", "warning"]), ({"FINANCEHUB_LOG_LEVEL": "WARNING"}, ["warning"])],
)
def test_log_level_applies_to_every_source(configured: Configure, environ: dict[str, str], shown: list[str]) -> None:
    """`log_level` filters our lines and libraries' lines in the same way."""
    stream = configured(**environ)
    for log in (structlog.get_logger("ours"), logging.getLogger("theirs")):
        log.debug("a")
        log.info("b")
        log.warning("c")
    assert [line["level"] for line in lines(stream)] == shown * 2


@pytest.mark.parametrize(
    ("format", "terminal", "as_json"),
    [("auto", False, True), ("auto", True, False), ("json", True, True), ("console", False, False)],
)
def test_log_format_depends_on_setting_and_terminal(
    configured: Configure, format: str, terminal: bool, as_json: bool
) -> None:
    """The format `auto` means console on a terminal and JSON otherwise. `json` and `console` always apply."""
    stream = configured(FINANCEHUB_LOG_FORMAT=format, terminal=terminal)
    structlog.get_logger("ours").info("event", key="value")
    assert stream.getvalue().startswith("{") is as_json
    assert "event" in stream.getvalue()


def test_value_without_json_form_is_logged_as_text(configured: Configure) -> None:
    """A value that JSON cannot represent is logged as a string."""
    stream = configured()
    structlog.get_logger("ours").info("event", value={1, 2}, other=object)
    assert lines(stream)[0]["value"] == "{1, 2}"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("httpx", "HTTP Request: GET https://finnhub.io/api/v1/quote?token=secret"),
        ("dramatiq.middleware.retries.Retries", "Retrying message %r in %d milliseconds."),
    ],
)
def test_redundant_lines_of_libraries_are_dropped(configured: Configure, name: str, message: str) -> None:
    """HTTP clients' INFO lines, and dramatiq's lines about runs that already have our own line, are dropped."""
    stream = configured()
    logging.getLogger(name).info(message, *(["id", 5] if "%" in message else []))
    assert stream.getvalue() == ""


def test_closed_log_stream_is_reported_once(configured: Configure, capfd: pytest.CaptureFixture[str]) -> None:
    """A closed stream is reported once on stderr, and logging does not raise."""
    stream = configured()
    stream.close()
    real = sys.__stderr__
    sys.__stderr__ = buffer = io.StringIO()
    try:
        structlog.get_logger("ours").info("one")
        logging.getLogger("theirs").warning("two")
    finally:
        sys.__stderr__ = real
    assert buffer.getvalue().count("log lines are lost") == 1
