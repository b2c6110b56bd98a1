"""The signal handlers of a worker process."""

import subprocess
import sys

import pytest

#: A process whose SIGTERM handler looks like that of `dramatiq.cli`, with the command line of another program.
PROGRAM = """
import signal, sys, threading
from financehub_shared.worker.middleware.shutdown import ShutdownSignals

def build():
    running = True
    def stop(number, frame):
        nonlocal running
        running = False
        print("stopping")
    stop.__module__ = "dramatiq.cli"
    return stop

sys.argv = {argv}
signal.signal(signal.SIGTERM, build())
ShutdownSignals().after_process_boot(None)
def refuse(thread):
    raise RuntimeError("can't start new thread")
threading.Thread.start = refuse
with threading._active_limbo_lock:  # as in Thread.start
    signal.raise_signal(signal.SIGTERM)
signal.raise_signal(signal.SIGTERM)
print("goes on")
"""


@pytest.mark.parametrize(
    "argv",
    [
        ["dramatiq", "tasks", "--worker-shutdown-timeout", "20000"],
        ["manage.py"],
        ["manage.py", "--help"],
        ["manage.py", "work", "--processes", "many"],
    ],
    ids=" ".join,
)
def test_shutdown_signals_with_any_command_line_stop_the_worker_once(argv: list[str]) -> None:
    """The first signal stops the worker, even if no thread can start. A foreign command line causes no error."""
    command = [sys.executable, "-c", PROGRAM.format(argv=argv)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "stopping\ngoes on\n", "")
