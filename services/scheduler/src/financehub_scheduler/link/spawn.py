"""Starts companion processes, whose end of the link is an inherited socket.

The first one is a fork of the engine process, which has imported what both need and has neither a thread nor an event
loop at that time. This saves half of the start and much memory. Later ones are new programs, because a process with
threads must not be forked.
"""

import contextlib
import ctypes
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

_MODULE = "financehub_scheduler.companion"
#: Options of `prctl`: the signal that the kernel sends to a process whose parent has died, and its name for `ps`.
_PR_SET_PDEATHSIG = 1
_PR_SET_NAME = 15


class Child(Protocol):
    """A child process."""

    @property
    def pid(self) -> int: ...
    def poll(self) -> int | None: ...
    def kill(self) -> None: ...


class Forked:
    """A child that `os.fork` has made, with the methods of `subprocess.Popen`.

    Args:
        pid: Its process id.
    """

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._code: int | None = None

    def poll(self) -> int | None:
        """Return the exit code, negative for a signal; None if the process runs."""
        if self._code is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self._code = os.waitstatus_to_exitcode(status)
        return self._code

    def kill(self) -> None:
        """Kill the process, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, signal.SIGKILL)


@dataclass(frozen=True, slots=True)
class Started:
    """A companion that was started, with our end of the link."""

    child: Child
    link: socket.socket


def fork(run: Callable[[socket.socket, int], None]) -> Started:
    """Start a companion as a fork of this process.

    Args:
        run: Runs in the companion, with its end of the link and the process id of the engine. It should not return.
    """
    ours, theirs = socket.socketpair()
    engine = os.getpid()
    # What is buffered would be written by both.
    sys.stdout.flush()
    sys.stderr.flush()
    # The program that started this one may have ignored this signal, and then the kernel would keep no exit code.
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    pid = os.fork()
    if pid == 0:
        ours.close()
        run(theirs, engine)
        raise SystemExit
    theirs.close()
    return Started(Forked(pid), ours)


def execute(arguments: Sequence[str]) -> Started:
    """Start a companion as a new program.

    It inherits the environment, with the settings, and the streams, so that a pod has one log.

    Args:
        arguments: Its command-line arguments.

    Raises:
        OSError: No process can be started now.
    """
    ours, theirs = socket.socketpair()
    link = theirs.fileno()
    # Without -P, a file in the working directory, such as `kopf.py`, would be imported instead of the package.
    command = [sys.executable, "-P", "-m", _MODULE, f"--link={link}", f"--engine={os.getpid()}", *arguments]
    with contextlib.ExitStack() as on_error, theirs:
        on_error.callback(ours.close)
        # The arguments are ours, and not from outside.
        child = subprocess.Popen(command, stdin=subprocess.DEVNULL, pass_fds=(link,))  # noqa: S603
        on_error.pop_all()
    return Started(child, ours)


def become_companion(engine: int) -> None:
    """Let the kernel kill this process when the engine dies, even if this process hangs, and name it for `ps`.

    Args:
        engine: Process id of the engine.

    Raises:
        SystemExit: The engine has died already.
    """
    if sys.platform == "linux":
        library = ctypes.CDLL(None)
        library.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        library.prctl(_PR_SET_NAME, b"companion")
    if os.getppid() != engine:
        raise SystemExit("the engine process has ended")
