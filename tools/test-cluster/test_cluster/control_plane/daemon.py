"""One server process of the control plane."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from support.processes import launch

#: Six control planes may start at the same time, on two cores that also build programs.
_START_SECONDS = 180
_STOP_SECONDS = 15


class DaemonError(Exception):
    """A server did not start. The message contains the end of its log."""


class PortTakenError(DaemonError):
    """Another process listens on the server's port."""


class Daemon:
    """A server process.

    Args:
        command: Program and arguments.
        log: File for its output.
    """

    def __init__(self, command: Sequence[str | Path], log: Path) -> None:
        self._command = command
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Id of the running process."""
        assert self._process is not None
        return self._process.pid

    def start(self, ready: Callable[[], bool]) -> None:
        """Start the server and wait until it is ready.

        Args:
            ready: Returns whether the server is ready.

        Raises:
            PortTakenError: Its port is in use. Another port may work.
            DaemonError: It exited, or is not ready within three minutes.
        """
        with self._log.open("ab") as log:
            began = log.tell()
            self._process = launch(self._command, stdout=log, stderr=log)
        limit = time.monotonic() + _START_SECONDS
        while not ready():
            ended, late = self._process.poll() is not None, time.monotonic() > limit
            if ended or late:
                self.kill()
                output = self._log.read_bytes()[began:].decode(errors="replace")
                kind = PortTakenError if "address already in use" in output else DaemonError
                raise kind(f"{self._log.stem} {'ended' if ended else 'is not ready'}: {output[-2_000:]}")
            time.sleep(0.05)

    def stop(self) -> None:
        """Stop the server with SIGTERM, or with SIGKILL if it does not exit in time. Does nothing if it is stopped."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self.kill()

    def kill(self) -> None:
        """Stop the server with SIGKILL. Does nothing if it is not running."""
        if self._process is not None and self._process.poll() is None:
            os.kill(self._process.pid, signal.SIGKILL)
            self._process.wait()
