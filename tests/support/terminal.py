"""Runs a command on a real pseudo-terminal, and reads what it shows there."""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import sys
import termios
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Self

from support.processes import launch

_COMMAND = Path(sys.executable).parent / "financehub"
_SEQUENCE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class TerminalRun:
    """A command of the command line that runs on a terminal of its own size.

    Args:
        arguments: The arguments of `financehub`.
        url: URL of Redis.
        columns: Width of the terminal.
        lines: Height of the terminal.
        environ: Additional environment variables.
    """

    def __init__(
        self, arguments: Sequence[str], url: str, *, columns: int, lines: int, environ: Mapping[str, str] | None = None
    ) -> None:
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        settings = {"PATH": os.environ["PATH"], "REDIS_URL": url, "TERM": "xterm-256color"}
        settings |= {"PYTHONPATH": os.environ.get("PYTHONPATH", "")} | dict(environ or {})
        self.process = launch(
            [_COMMAND, *arguments],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env=settings,
            start_new_session=True,
            # Tests that run in the background ignore Ctrl-C, and their child processes inherit that.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
        os.close(slave)
        self.output = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self._master)

    def read_until(self, text: str, seconds: float = 30.0) -> str:
        """Read the output until it contains a text, and return all output so far."""
        limit = time.monotonic() + seconds
        while text not in self.output:
            if time.monotonic() > limit or not self._read(0.1):
                raise AssertionError(f"{text!r} is not in the output: {self.output!r}")
        return self.output

    def type(self, text: str) -> None:
        """Type a text on the keyboard."""
        os.write(self._master, text.encode())

    def wait(self, seconds: float = 30.0) -> int:
        """Read the rest of the output until the command ends, and return its exit code."""
        limit = time.monotonic() + seconds
        while self.process.poll() is None and time.monotonic() < limit:
            self._read(0.1)
        while self._read(0.0):
            pass
        return self.process.wait(max(1.0, limit - time.monotonic()))

    def _read(self, seconds: float) -> bool:
        """Read what is there, and return False if the terminal was closed or nothing is left of an ended command."""
        if not select.select([self._master], [], [], seconds)[0]:
            return self.process.poll() is None
        data = b""
        with suppress(OSError):  # Linux reports the end of the other side as an error
            data = os.read(self._master, 65_536)
        self.output += data.decode(errors="replace")
        return bool(data)


def plain(output: str) -> str:
    """Return output without control sequences."""
    return _SEQUENCE.sub("", output).replace("\r", "")
