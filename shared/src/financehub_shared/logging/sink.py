"""Writes log lines: one write per line, with secrets masked, and without raising in the caller."""

import sys
import threading
from collections.abc import Callable
from typing import Any, TextIO

from financehub_shared.core.exception_text import exception_message


class LineSink:
    """Writes whole lines to one stream, and to stderr while the stream does not accept them.

    A stream can be closed (as after `| head`) or its disk can be full. The process continues in any case, and the next
    line that the stream accepts is preceded by the number of lines that neither stream accepted.

    Args:
        stream: Text stream. Each line is one `write`, so lines from several threads never mix.
        redact: Masks the secrets in a line.
        lost_line: Renders the line that reports a number of lost lines and the last error.
    """

    def __init__(
        self, stream: TextIO, redact: Callable[[str], str], lost_line: Callable[[int, str], str] | None = None
    ) -> None:
        self._stream = stream
        self._redact = redact
        self._lost_line = lost_line or (lambda count, error: f"financehub: {count} log lines were lost: {error}")
        # A signal handler may log while the same thread writes.
        self._lock = threading.RLock()
        self._problem = ""
        self._lost = 0

    def write(self, line: str) -> None:
        """Write one line."""
        text = self._redact(line)
        with self._lock:
            if self._lost:
                text = f"{self._lost_line(self._lost, self._problem)}\n{text}"
            problem = _try_write(self._stream, text)
            if not problem:
                self._lost, self._problem = 0, ""
                return
            if not self._problem:
                _try_write(sys.__stderr__, f"financehub: the log stream fails ({problem}); log lines go to stderr")
            self._problem = problem
            if _try_write(sys.__stderr__, text):
                self._lost += 1
            else:
                self._lost = 0


def _try_write(stream: TextIO | None, text: str) -> str:
    """Write text and a line feed, and return the problem; empty if the stream accepted the text."""
    if stream is None:
        return "the process has no such stream"
    try:
        if not text.isascii():
            # Characters that the stream cannot encode become escapes. It refuses the whole line otherwise.
            encoding = getattr(stream, "encoding", None) or "utf-8"
            text = text.encode(encoding, "backslashreplace").decode(encoding)
        stream.write(text + "\n")
        stream.flush()
    except (OSError, ValueError, LookupError, RuntimeError) as error:  # RuntimeError: a signal handler logs meanwhile
        return exception_message(error) or type(error).__name__
    return ""


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
