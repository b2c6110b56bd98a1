"""The last resort of a process that cannot end."""

import subprocess
import sys

from financehub_shared.core.exit_deadline import EXIT_CODE

STUCK = """
import threading
from financehub_shared.core.exit_deadline import ExitDeadline
threading.Thread(target=threading.Event().wait, name="task of a user").start()
ExitDeadline({seconds}).begin()
"""


def run(seconds: float, program: str = STUCK) -> "subprocess.CompletedProcess[str]":
    """Run a program whose thread never ends, with a deadline."""
    command = [sys.executable, "-c", program.format(seconds=seconds)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def test_exit_deadline_ends_a_stuck_process_with_its_threads_in_the_log() -> None:
    """A process that a thread keeps alive ends at the deadline, and one log line names the thread."""
    done = run(0.3)
    assert done.returncode == EXIT_CODE
    assert "shutdown_failed" in done.stdout
    assert "task of a user" in done.stdout


def test_exit_deadline_does_not_delay_a_process_that_ends() -> None:
    """The deadline itself keeps no process alive."""
    done = run(3_600, STUCK.replace(".start()\nExit", "\nExit"))
    assert (done.returncode, done.stdout) == (0, "")


INTERRUPTED = """
import os, signal, threading
from financehub_shared.core.exit_deadline import ExitDeadline
deadline = ExitDeadline({seconds})
signal.signal(signal.SIGTERM, lambda *_: deadline.begin())
with threading._active_limbo_lock:  # as in Thread.start
    signal.raise_signal(signal.SIGTERM)
for _ in range(70_000):  # more than a pipe holds
    deadline.begin()
print("goes on", flush=True)
threading.Event().wait()
"""


def test_exit_deadline_in_a_signal_handler_needs_no_lock_of_the_interrupted_thread() -> None:
    """A signal that interrupts the start of a thread stops neither the main thread nor the deadline."""
    # Longer than the loop takes, also if a busy machine stops the program for a moment.
    done = run(8, INTERRUPTED)
    assert done.returncode == EXIT_CODE
    assert done.stdout.startswith("goes on\n")


UNABLE = """
import threading
from financehub_shared.core.exit_deadline import ExitDeadline
ExitDeadline({seconds}).begin()
def fail(thread):
    raise RuntimeError("can't start new thread")
threading.Thread.start = fail
threading.Event().wait()
"""


def test_exit_deadline_ends_a_process_that_cannot_log() -> None:
    """A process that has reached its limit of threads ends too."""
    assert run(1, UNABLE).returncode == EXIT_CODE
