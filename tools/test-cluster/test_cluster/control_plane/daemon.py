"""One server process of the control plane."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from support.processes import launch

_START_SECONDS = 60
_STOP_SECONDS = 15


class DaemonError(Exception):
    """A server did not start; the end of its log is in the message."""


class PortTakenError(DaemonError):
    """Somebody else listens on the port that it was given."""


class Daemon:
    """A server: started, looked at until it is ready, stopped.

    Args:
        command: program and arguments.
        log: file that gets what it prints.
    """

    def __init__(self, command: Sequence[str | Path], log: Path) -> None:
        self._command = command
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Process id while it runs."""
        assert self._process is not None
        return self._process.pid

    def start(self, ready: Callable[[], bool]) -> None:
        """Start and wait until it is ready.

        Args:
            ready: asks it.

        Raises:
            PortTakenError: another port may do.
            DaemonError: it ended, or is not ready within a minute.
        """
        with self._log.open("ab") as log:
            began = log.tell()
            self._process = launch(self._command, stdout=log, stderr=log)
        limit = time.monotonic() + _START_SECONDS
        while not ready():
            ended, late = self._process.poll() is not None, time.monotonic() > limit
            if ended or late:
                self.kill()
                said = self._log.read_bytes()[began:].decode(errors="replace")
                kind = PortTakenError if "address already in use" in said else DaemonError
                raise kind(f"{self._log.stem} {'ended' if ended else 'is not ready'}: {said[-2_000:]}")
            time.sleep(0.05)

    def stop(self) -> None:
        """SIGTERM, and SIGKILL if that does not help; nothing when it does not run."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self.kill()

    def kill(self) -> None:
        """SIGKILL; nothing when it does not run."""
        if self._process is not None and self._process.poll() is None:
            os.kill(self._process.pid, signal.SIGKILL)
            self._process.wait()
