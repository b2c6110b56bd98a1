"""Configures logging: every line that a process logs, from any library, has the same shape and goes to stdout."""

import logging
import sys
import threading
import time
from collections.abc import Callable, MutableMapping
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, TextIO

import structlog
from structlog.stdlib import ProcessorFormatter

from financehub_shared.core.exception_text import describe_exception, full_traceback
from financehub_shared.core.settings import Settings
from financehub_shared.core.text import dump_json, safe_text
from financehub_shared.logging.console import ConsoleRenderer
from financehub_shared.logging.library_lines import QUIET_LIBRARIES, SILENT_LIBRARIES, LibraryFilter
from financehub_shared.logging.redaction import Redactor, known_secrets
from financehub_shared.logging.run_context import add_run, run_fields
from financehub_shared.logging.sink import LineSink, SinkLoggerFactory

Processor = Callable[[Any, str, MutableMapping[str, Any]], Any]


class _SinkHandler(logging.Handler):
    """Writes the lines of standard logging.

    Args:
        sink: Receives the rendered lines.
        render_damaged: Renders a record that cannot be formatted, with the error.
    """

    def __init__(self, sink: LineSink, render_damaged: Callable[[logging.LogRecord, str], str]) -> None:
        super().__init__()
        self._sink = sink
        self._render_damaged = render_damaged

    def emit(self, record: logging.LogRecord) -> None:
        try:
            line = self.format(record)
        except Exception as error:  # noqa: BLE001 — contract of logging: a record that cannot be formatted must not raise in the caller
            # Usually, the arguments of a library's line do not fit its format.
            line = self._render_damaged(record, describe_exception(error))
        self._sink.write(line)


def _add_logger_name(logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    record = event.get("_record")
    event["logger"] = record.name if record is not None else getattr(logger, "name", "financehub")
    return event


def _order_fields(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> dict[str, Any]:
    """Put time, level and event first, because readers look for them first."""
    return {key: event.pop(key) for key in ("timestamp", "level", "event") if key in event} | dict(event)


class _TimeStamper:
    """Adds the time in ISO 8601. Only the microseconds differ between lines of the same second."""

    def __init__(self) -> None:
        #: A second in Unix time, and its text. Several threads log, so both are replaced together.
        self._second: tuple[int, str] = (-1, "")

    def __call__(self, _logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        second, nanoseconds = divmod(time.time_ns(), 1_000_000_000)
        known, text = self._second
        if known != second:
            text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
            self._second = (second, text)
        event["timestamp"] = f"{text}.{nanoseconds // 1_000:06d}Z"
        return event


#: Method of a logger → level, if they differ. structlog's `add_log_level` does the same.
_LEVELS = {"warn": "warning", "exception": "error", "fatal": "critical"}


class _OwnLines:
    """Completes the lines of our own loggers like the chain of processors for other lines, in a third of the time.

    Args:
        tier: Value of the field `tier`.
        redact: Masks secrets in a traceback.
    """

    def __init__(self, tier: str, redact: Callable[[str], str]) -> None:
        self._tier = tier
        self._add_time = _TimeStamper()
        self._add_traceback = _traceback_adder(redact)

    def __call__(self, logger: Any, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        line: dict[str, Any] = {"timestamp": "", "level": _LEVELS.get(method, method), "event": event.pop("event", "")}
        line.update(structlog.contextvars.get_contextvars())
        line.update(run_fields())
        line.update(event)
        line["tier"] = self._tier
        line["logger"] = getattr(logger, "name", "financehub")
        self._add_time(logger, method, line)
        return self._add_traceback(logger, method, line) if "exc_info" in line else line


def _traceback_adder(redact: Callable[[str], str]) -> Processor:
    """Return a processor that replaces `exc_info` by a traceback, which no exception can make impossible."""

    def add_traceback(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        exc_info = event.pop("exc_info", None)
        if isinstance(exc_info, tuple):
            exc_info = exc_info[1]
        elif exc_info and not isinstance(exc_info, BaseException):
            exc_info = sys.exception()
        if isinstance(exc_info, BaseException):
            # The traceback is masked before it is truncated, so that no part of a secret remains.
            event["exception"] = full_traceback(exc_info, redact)
        return event

    return add_traceback


def _json_renderer(*, ascii_only: bool) -> Processor:
    def render(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> str:
        return dump_json(dict(event), ascii_only=ascii_only)

    return render


def _log_uncaught(
    kind: type[BaseException], error: BaseException, traceback: TracebackType | None, **where: Any
) -> None:
    if issubclass(kind, KeyboardInterrupt):
        return
    log = structlog.get_logger("financehub")
    log.critical("uncaught_exception", exc_info=(kind, error, traceback), **where)


def _thread_hook(args: threading.ExceptHookArgs) -> None:
    if args.exc_value is not None:
        name = args.thread.name if args.thread else ""
        _log_uncaught(args.exc_type, args.exc_value, args.exc_traceback, thread=name)


def configure_logging(settings: Settings, tier: str, *, stream: TextIO | None = None) -> None:
    """Send structlog, standard logging, warnings and uncaught exceptions to one stream, one JSON object per line.

    Args:
        settings: Level, format and the secrets to mask.
        tier: `high`, `medium`, `low`, `scheduler` or `cli`, which is added to every line.
        stream: Output stream; by default the process's original stdout. `sys.stdout` would be wrong, because in worker
            processes dramatiq replaces it with a pipe to the parent process's stderr.
    """
    out = stream or sys.__stdout__ or sys.stdout
    as_json = settings.log_format == "json" or (settings.log_format == "auto" and not out.isatty())
    ascii_only = not (getattr(out, "encoding", None) or "utf-8").lower().replace("-", "").startswith("utf8")
    render = _json_renderer(ascii_only=ascii_only) if as_json else ConsoleRenderer()

    def render_line(level: str, event: str, **fields: Any) -> str:
        """Render a line without the usual chain."""
        now = datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
        return str(render(None, "", {"timestamp": now, "level": level, "event": event, "tier": tier, **fields}))

    redact = Redactor(known_secrets(settings))
    sink = LineSink(
        out,
        redact,
        lambda count, error: render_line("error", "log_lines_lost", count=count, error=error),
    )

    def add_tier(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        event["tier"] = tier
        return event

    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        add_run,
        add_tier,
        _add_logger_name,
        structlog.processors.add_log_level,
        _TimeStamper(),
    ]
    rendering: list[Processor] = [_traceback_adder(redact), _order_fields, render]
    structlog.configure(
        processors=[_OwnLines(tier, redact), render],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[settings.log_level]),
        logger_factory=SinkLoggerFactory(sink),
    )
    handler = _SinkHandler(
        sink,
        lambda record, error: render_line(
            record.levelname.lower(), safe_text(record.msg), logger=record.name, not_formatted=error
        ),
    )
    handler.addFilter(LibraryFilter())
    handler.setFormatter(
        ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[ProcessorFormatter.remove_processors_meta, *rendering],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(settings.log_level)
    for name in QUIET_LIBRARIES:
        logging.getLogger(name).setLevel(logging.WARNING)
    for name in SILENT_LIBRARIES:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    logging.captureWarnings(capture=True)
    sys.excepthook = _log_uncaught
    threading.excepthook = _thread_hook
