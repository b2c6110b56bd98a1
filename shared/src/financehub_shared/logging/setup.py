"""Configures logging: every line that a process logs, from any library, has the same shape and goes to stdout."""

import json
import logging
import sys
import threading
from collections.abc import Callable, MutableMapping
from types import TracebackType
from typing import Any, TextIO

import structlog
from structlog.stdlib import ProcessorFormatter

from financehub_shared.core.settings import Settings
from financehub_shared.logging.redaction import Redactor, known_secrets
from financehub_shared.logging.sink import LineSink, SinkLoggerFactory

Processor = Callable[[Any, str, MutableMapping[str, Any]], Any]

#: Libraries whose INFO lines are not useful. httpx would log every URL.
QUIET_LIBRARIES = (
    "httpx",
    "httpcore",
    "urllib3",
    "redis",
    "waitress",
    "watchfiles",
    "yfinance",
    "peewee",
    "asyncio",
    "kopf",
)

#: Prefixes of dramatiq's messages about a finished run. The run log writes its own, more detailed line.
REPLACED_BY_RUN_LOG = (
    "Actor '",  # "… returned a value that is not None": it is the summary, which the observers read
    "Failed to process message %s with unhandled exception.",
    "Failed to process message %s with expected exception %s.",
    "Message %s was skipped.",
    "Retries exceeded for message %r.",
    "Retrying message %r in %d milliseconds.",
    "Aborting message %r.",
    "Message %r has exceeded its age limit.",
)


class _SinkHandler(logging.Handler):
    def __init__(self, sink: LineSink) -> None:
        super().__init__()
        self._sink = sink

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._sink.write(self.format(record))
        except Exception:  # noqa: BLE001 — contract of logging: a record that cannot be formatted must not raise in the caller
            self.handleError(record)


def _is_not_replaced(record: logging.LogRecord) -> bool:
    is_run = record.name.startswith(("dramatiq.worker.WorkerThread", "dramatiq.middleware."))
    return not (is_run and isinstance(record.msg, str) and record.msg.startswith(REPLACED_BY_RUN_LOG))


def _add_logger_name(logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    record = event.get("_record")
    event["logger"] = record.name if record is not None else getattr(logger, "name", "financehub")
    return event


def _order_fields(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> dict[str, Any]:
    """Put time, level and event first, because readers look for them first."""
    return {key: event.pop(key) for key in ("timestamp", "level", "event") if key in event} | dict(event)


def _to_text(value: Any) -> str:
    return str(value)


def _dumps(event: Any, **_options: Any) -> str:
    return json.dumps(event, default=_to_text, ensure_ascii=False, separators=(",", ":"))


def _renderers(*, as_json: bool) -> list[Processor]:
    if as_json:
        return [
            structlog.processors.format_exc_info,
            _order_fields,
            structlog.processors.JSONRenderer(serializer=_dumps),
        ]
    return [structlog.dev.ConsoleRenderer(colors=True, exception_formatter=structlog.dev.plain_traceback)]


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
    sink = LineSink(out, Redactor(known_secrets(settings)))

    def add_tier(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        event["tier"] = tier
        return event

    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        add_tier,
        _add_logger_name,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[*shared, *_renderers(as_json=as_json)],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[settings.log_level]),
        logger_factory=SinkLoggerFactory(sink),
    )
    handler = _SinkHandler(sink)
    handler.addFilter(_is_not_replaced)
    handler.setFormatter(
        ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[ProcessorFormatter.remove_processors_meta, *_renderers(as_json=as_json)],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(settings.log_level)
    for name in QUIET_LIBRARIES:
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.captureWarnings(capture=True)
    sys.excepthook = _log_uncaught
    threading.excepthook = _thread_hook
