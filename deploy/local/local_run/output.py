"""Writes the lines of all processes to the terminal, each with the time and the name of its process."""

import contextlib
import io
import sys
import threading
import time

SYSTEM = "system"
_COLORS = {SYSTEM: 37, "scheduler": 36, "high": 33, "medium": 32, "low": 35, "web": 34}


class Terminal:
    """Writes whole lines. A closed terminal is ignored, because the processes must be stopped all the same."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        if isinstance(sys.stdout, io.TextIOWrapper):
            # A character that the terminal's encoding does not have would cost its whole line.
            sys.stdout.reconfigure(errors="backslashreplace")
        self._is_terminal = sys.stdout.isatty()

    def line(self, name: str, text: str) -> None:
        """Write a line of one process.

        Args:
            name: Name of the process.
            text: The line without its end.
        """
        prefix = f"{time.strftime('%H:%M:%S')} {name:<9} | "
        if self._is_terminal:
            prefix = f"\033[{_COLORS.get(name, 37)}m{prefix}\033[0m"
        self.write(f"{prefix}{text}\n")

    def write(self, text: str) -> None:
        """Write a text as it is."""
        with self._lock, contextlib.suppress(OSError, ValueError):
            sys.stdout.write(text)
            sys.stdout.flush()
