"""Fixtures for logging tests. Logging is global, so its configuration is restored after each test."""

import io
import logging
import sys
import threading
from collections.abc import Callable, Iterator

import pytest
import structlog

from financehub_shared.core.settings import load_settings
from financehub_shared.logging import configure_logging


class Terminal(io.StringIO):
    """A buffer that reports that it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def configured() -> Iterator[Callable[..., io.StringIO]]:
    """Return a function that configures logging to a buffer. Its keyword arguments are environment variables."""
    root = logging.getLogger()
    before = (root.handlers, root.level, sys.excepthook, threading.excepthook)

    def configure(*, terminal: bool = False, **environ: str) -> io.StringIO:
        stream = Terminal() if terminal else io.StringIO()
        configure_logging(load_settings(environ), "high", stream=stream)
        return stream

    yield configure
    root.handlers, root.level, sys.excepthook, threading.excepthook = before
    logging.captureWarnings(capture=False)
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()
