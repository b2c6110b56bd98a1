"""One process of `make run`, which leads its own session and therefore gets signals only from `make run`."""

import contextlib
import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO

#: What every process writes before an error that ends it.
ERROR_PREFIX = "financehub: "


def signal_name(number: int) -> str:
    """Return the name of a signal. Real-time signals have none in Python."""
    return signal.Signals(number).name if number in {*signal.Signals} else f"signal {number}"


#: Linux's command that makes a process end together with the one that started it, even if that one was killed.
_SETPRIV = shutil.which("setpriv")


class Process:
    """A process that can be started again after it has ended.

    Args:
        name: Its name in the Procfile.
        command: Its command in the Procfile, for a shell.
        environment: Its environment.
        folder: Its working directory.
        output: Receives each line of its output, or the file to which it writes its log.
    """

    def __init__(
        self,
        name: str,
        command: str,
        environment: Mapping[str, str],
        folder: Path,
        output: Callable[[str], None] | Path,
    ) -> None:
        self.name = name
        self._environment = dict(environment)
        self._folder = folder
        self._output = output
        self._command = ["/bin/sh", "-c", command]
        if _SETPRIV is not None:
            self._command = [_SETPRIV, "--pdeathsig", "TERM", "--", *self._command]
        self._process: subprocess.Popen[bytes] | None = None
        self._reader: threading.Thread | None = None
        self.started_at = 0.0
        #: The last line of the output, if it is read, or the last error of our own in it. Dramatiq writes a line after
        #: the error of a worker.
        self.reason = ""

    @property
    def pid(self) -> int:
        """Its process id, which is also the id of its session; 0 before the first start."""
        return self._process.pid if self._process is not None else 0

    def start(self) -> None:
        """Start it. Only the main thread may do this, because the process ends together with the calling thread.

        Raises:
            OSError: The machine cannot start another process, or the log cannot be written.
        """
        options = {"cwd": self._folder, "env": self._environment, "start_new_session": True}
        self.started_at = time.monotonic()
        self.reason = ""
        if isinstance(self._output, Path):
            with self._output.open("ab") as log:
                self._process = subprocess.Popen(self._command, stdout=log, stderr=log, **options)  # type: ignore[call-overload]
            return
        self._process = subprocess.Popen(self._command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **options)  # type: ignore[call-overload]
        self._reader = threading.Thread(target=self._read, args=(self._process.stdout, self._output), daemon=True)
        self._reader.start()

    def _read(self, lines: IO[bytes], output: Callable[[str], None]) -> None:
        with lines:
            for line in lines:
                text = line.decode(errors="replace").rstrip("\r\n")
                if text and (text.startswith(ERROR_PREFIX) or not self.reason.startswith(ERROR_PREFIX)):
                    self.reason = text
                output(text)

    def exit_code(self) -> int | None:
        """Return its exit code, which is negative for a signal; None while it runs or if it was never started."""
        return self._process.poll() if self._process is not None else 0

    def ending(self) -> str:
        """Describe how it ended, after it has ended."""
        code = self.exit_code()
        if code is not None and code < 0:
            return f"{self.name} was killed by {signal_name(-code)}"
        return f"{self.name} ended with exit code {code}"

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the process, but not to its children."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(number)

    def stop(self) -> None:
        """Tell it to end, even if somebody has suspended it."""
        for number in (signal.SIGTERM, signal.SIGCONT):
            self.signal(number)

    def kill_group(self) -> None:
        """Kill what is left of its process group, such as the children of a process that was killed itself."""
        if self._process is None:
            return
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        if self._reader is not None:
            # the rest of the output, which ends when the last process of the group has gone
            self._reader.join(2)
