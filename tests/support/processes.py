"""Starts and kills processes that do not outlive the test process."""

import os
import shutil
import signal
import subprocess
import threading
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

_SETPRIV = shutil.which("setpriv")


def launch(command: Sequence[str | Path], **options: Any) -> "subprocess.Popen[Any]":
    """Start a process. With Linux's `setpriv`, it gets SIGTERM when the test process ends for any reason.

    Args:
        command: Program and arguments.
        options: Options of `subprocess.Popen`.
    """
    # The kernel sends the signal when the thread that started the process ends, so only the main thread may use it.
    if _SETPRIV is not None and threading.current_thread() is threading.main_thread():
        command = [_SETPRIV, "--pdeathsig", "TERM", "--", *command]
    return subprocess.Popen(command, **options)


def end(process: "subprocess.Popen[Any]") -> None:
    """Kill a process with SIGKILL, with its children if it leads a process group. Does nothing if it has exited."""
    if process.poll() is None:
        if os.getpgid(process.pid) == process.pid:
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
        process.wait()


class Started(ABC):
    """Processes that a `with` block starts and stops. They are also stopped if the start fails."""

    @abstractmethod
    def start(self) -> Self:
        """Start everything."""

    @abstractmethod
    def stop(self) -> None:
        """Stop everything in any state."""

    def __enter__(self) -> Self:
        try:
            return self.start()
        except BaseException:
            self.stop()
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
