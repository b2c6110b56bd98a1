"""The logging configuration: one line per event, in the same format for every source."""

import io
import json
import logging
import re
import sys
import threading
import warnings
from collections.abc import Callable
from typing import Any

import pytest
import structlog
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from financehub_shared.logging.library_lines import LibraryFilter
from financehub_shared.logging.sink import LineSink

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


def test_lines_for_a_closed_stream_go_to_stderr(configured: Configure, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the log stream is closed, that is reported once on stderr, which then receives the lines."""
    stream = configured()
    stream.close()
    monkeypatch.setattr(sys, "__stderr__", buffer := io.StringIO())
    structlog.get_logger("ours").info("one")
    logging.getLogger("theirs").warning("two")
    first, *rest = buffer.getvalue().splitlines()
    assert first.startswith("financehub: the log stream fails (")
    assert [json.loads(line)["event"] for line in rest] == ["one", "two"]


class _FullDisk(io.StringIO):
    """A stream on a disk that is full for a while."""

    full = True

    def write(self, text: str) -> int:
        if self.full:
            raise OSError(28, "No space left on device")
        return super().write(text)


def test_lines_that_no_stream_accepts_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """When a disk has space again, the first line says how many lines were lost, and the process continues."""
    monkeypatch.setattr(sys, "__stderr__", None)
    disk = _FullDisk()
    sink = LineSink(disk, str, lambda count, error: f"lost {count}: {error}")
    for number in range(5):
        sink.write(f"line {number}")
    disk.full = False
    sink.write("line 5")
    sink.write("line 6")
    lost, *rest = disk.getvalue().splitlines()
    assert lost.startswith("lost 5: ")
    assert "No space left" in lost
    assert rest == ["line 5", "line 6"]


def test_sink_that_is_used_by_a_signal_handler_does_not_block() -> None:
    """A signal handler may log while its own thread writes a line."""

    class Interrupted(io.StringIO):
        def write(self, text: str) -> int:
            if "outer" in text:
                sink.write("inner")
            return super().write(text)

    stream = Interrupted()
    sink = LineSink(stream, str)
    sink.write("outer")
    assert sorted(stream.getvalue().splitlines()) == ["inner", "outer"]


def test_damaged_line_of_a_library_is_logged_with_the_problem(configured: Configure) -> None:
    """A line whose arguments do not fit its format is logged, with its format and the error."""
    stream = configured()
    logging.getLogger("theirs").error("%d of %s", "one")  # noqa: PLE1206 — the mistake is the subject
    (line,) = lines(stream)
    assert (line["event"], line["level"], line["logger"]) == ("%d of %s", "error", "theirs")
    assert "TypeError" in line["not_formatted"]


def test_repeated_lines_of_an_outage_are_logged_once_a_minute() -> None:
    """Dramatiq's threads repeat the same lines every few seconds. The first one of each minute is logged."""
    now = [0.0]
    filter_ = LibraryFilter(lambda: now[0])
    record = logging.LogRecord(
        "dramatiq.worker.ConsumerThread(high)", 50, "", 0, "Consumer encountered a connection error: %s", ("x",), None
    )
    shown = []
    for second in range(0, 121, 3):
        now[0] = float(second)
        shown.append(filter_.filter(record))
    assert shown.count(True) == 3


def test_line_of_an_outage_is_logged_for_each_consumer() -> None:
    """The error of one queue does not hide that of another, whose cause may differ."""
    filter_ = LibraryFilter(lambda: 0.0)
    shown = [
        filter_.filter(logging.LogRecord(f"dramatiq.worker.ConsumerThread({queue})", 50, "", 0, text, ("x",), None))
        for text in ("Consumer encountered a connection error: %s", "Restarting consumer in %0.2f seconds.")
        for queue in ("high", "low", "high")
    ]
    assert shown == [True, True, False] * 2


ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=30)


@given(event=ANY_TEXT, key=ANY_TEXT.filter(lambda key: key not in {"event", "exc_info", "stack_info"}), value=ANY_TEXT)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_any_text_in_a_log_line_cannot_control_the_terminal(
    configured: Configure, event: str, key: str, value: str
) -> None:
    """Whatever an event, a key, a value or an exception contains, the console shows only printable characters."""
    stream = configured(FINANCEHUB_LOG_FORMAT="console")
    structlog.get_logger("ours").error(event, **{key: value}, nested={value: [value]})
    logging.getLogger(value).error(event)
    shown = re.sub("\x1b\\[[0-9;]*m", "", stream.getvalue())
    assert shown.replace("\n", "").isprintable()
    assert shown.count("\n") == 2
    stream = configured(FINANCEHUB_LOG_FORMAT="console")
    try:
        _fail(event)
    except RuntimeError:
        structlog.get_logger("ours").exception("failed")
    first, *rest = re.sub("\x1b\\[[0-9;]*m", "", stream.getvalue()).split("\n")[:-1]
    assert "failed" in first
    assert all(line.isprintable() and line.startswith("    ") for line in rest)


@given(event=ANY_TEXT, key=ANY_TEXT.filter(lambda key: key not in {"event", "exc_info", "stack_info"}), value=ANY_TEXT)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_any_text_in_a_json_line_is_escaped_and_decodes_to_the_original(
    configured: Configure, event: str, key: str, value: str
) -> None:
    """A JSON line has only printable characters, and a parser gets the original texts."""
    stream = configured()
    structlog.get_logger("ours").error(event, **{key: value})
    text = stream.getvalue()
    assert text.endswith("\n")
    assert text[:-1].isprintable()
    line = json.loads(text)
    assert line["event"] == json.loads(json.dumps(event))  # JSON joins the two halves of a surrogate pair
    if key not in {"timestamp", "level", "logger", "tier"}:
        assert line[json.loads(json.dumps(key))] == json.loads(json.dumps(value))


class _Hostile:
    """An object without a usable text."""

    def __str__(self) -> str:
        raise SystemExit

    __repr__ = __str__


@pytest.mark.parametrize("format", ["json", "console"])
def test_value_that_raises_when_it_is_shown_does_not_lose_the_line(configured: Configure, format: str) -> None:
    """Whatever a value does when it becomes text, the line is logged."""
    stream = configured(FINANCEHUB_LOG_FORMAT=format)
    values = {"hostile": _Hostile(), "nan": float("nan"), "huge": 10**5000, "keys": {(1, 2): _Hostile(), None: 1}}
    loop: list[object] = []
    loop.append(loop)
    structlog.get_logger("ours").info("shown", loop=loop, bytes=b"\xff", **values)
    assert "shown" in stream.getvalue()
    assert "SystemExit" in stream.getvalue()
    if format == "json":
        json.loads(stream.getvalue(), parse_constant=pytest.fail)
