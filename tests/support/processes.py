"""Real processes that do not outlive the tests that start them."""

import os
import shutil
import signal
import subprocess
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

_SETPRIV = shutil.which("setpriv")


def launch(command: Sequence[str | Path], **options: Any) -> "subprocess.Popen[Any]":
    """Start a process; where Linux's `setpriv` is there, it gets SIGTERM when this one dies, however it dies.

    Args:
        command: program and arguments.
        options: of `subprocess.Popen`.
    """
    # the kernel's "parent" is a thread: one that ends would take the process with it
    if _SETPRIV is not None and threading.current_thread() is threading.main_thread():
        command = [_SETPRIV, "--pdeathsig", "TERM", "--", *command]
    return subprocess.Popen(command, **options)


def end(process: "subprocess.Popen[Any]") -> None:
    """SIGKILL it, and its children where it leads a group; nothing when it has ended."""
    if process.poll() is None:
        if os.getpgid(process.pid) == process.pid:
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
        process.wait()
