"""Where lines go: one write a line, secrets masked, never an exception into the caller."""

import sys
import threading
from collections.abc import Callable
from typing import Any, TextIO


class LineSink:
    """Writes whole lines to one stream.

    Args:
        stream: text stream; a line is one `write`, so that lines of several threads never mix.
        redact: masks the secrets of a line.
    """

    def __init__(self, stream: TextIO, redact: Callable[[str], str]) -> None:
        self._stream = stream
        self._redact = redact
        self._lock = threading.Lock()
        self._broken = False

    def write(self, line: str) -> None:
        """Write one event. A reader that went away (`| head`) is reported once on stderr; work goes on."""
        text = self._redact(line) + "\n"
        try:
            with self._lock:
                self._stream.write(text)
                self._stream.flush()
        except (OSError, ValueError) as error:
            if not self._broken and sys.__stderr__ is not None:
                self._broken = True
                sys.__stderr__.write(f"financehub: log lines are lost, the log stream is gone: {error}\n")


class SinkLogger:
    """What structlog's bound loggers end in.

    Args:
        sink: where rendered lines go.
        name: the module that logs.
    """

    def __init__(self, sink: LineSink, name: str) -> None:
        self.name = name
        self._sink = sink

    def msg(self, line: str) -> None:
        """Write one rendered event."""
        self._sink.write(line)

    debug = info = warning = error = critical = exception = log = fatal = warn = msg


class SinkLoggerFactory:
    """Makes loggers for `structlog.get_logger(name)`.

    Args:
        sink: where rendered lines go.
    """

    def __init__(self, sink: LineSink) -> None:
        self._sink = sink

    def __call__(self, *args: Any) -> SinkLogger:
        return SinkLogger(self._sink, str(args[0]) if args else "financehub")
