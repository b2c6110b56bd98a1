"""Writes log lines: one write per line, with secrets masked, and without raising in the caller."""

import sys
import threading
from collections.abc import Callable
from typing import Any, TextIO


class LineSink:
    """Writes whole lines to one stream.

    Args:
        stream: Text stream. Each line is one `write`, so lines from several threads never mix.
        redact: Masks the secrets in a line.
    """

    def __init__(self, stream: TextIO, redact: Callable[[str], str]) -> None:
        self._stream = stream
        self._redact = redact
        self._lock = threading.Lock()
        self._broken = False

    def write(self, line: str) -> None:
        """Write one line. A closed stream (as after `| head`) is reported once on stderr, and the process continues."""
        text = self._redact(line) + "\n"
        try:
            with self._lock:
                self._stream.write(text)
                self._stream.flush()
        except (OSError, ValueError) as error:
            if not self._broken and sys.__stderr__ is not None:
                self._broken = True
                sys.__stderr__.write(f"financehub: log lines are lost because the log stream is closed: {error}\n")


class SinkLogger:
    """The logger that structlog's bound loggers wrap.

    Args:
        sink: Receives the rendered lines.
        name: Name of the module that logs.
    """

    def __init__(self, sink: LineSink, name: str) -> None:
        self.name = name
        self._sink = sink

    def msg(self, line: str) -> None:
        """Write one rendered line."""
        self._sink.write(line)

    debug = info = warning = error = critical = exception = log = fatal = warn = msg


class SinkLoggerFactory:
    """Builds the loggers for `structlog.get_logger(name)`.

    Args:
        sink: Receives the rendered lines.
    """

    def __init__(self, sink: LineSink) -> None:
        self._sink = sink

    def __call__(self, *args: Any) -> SinkLogger:
        return SinkLogger(self._sink, str(args[0]) if args else "financehub")
