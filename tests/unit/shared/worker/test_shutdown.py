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


#: Two signals, of which the second one arrives at another call of a function in the handler of the first one.
NESTED = """
import signal, sys
from financehub_shared.worker.middleware.shutdown import ShutdownSignals

def build(stopped):
    running = True
    def stop(number, frame):
        nonlocal running
        if not running:
            raise SystemExit("killed")
        running = False
        stopped.append(number)
    stop.__module__ = "dramatiq.cli"
    return stop

for number in range(1, 100):
    stopped, calls = [], 0
    signal.signal(signal.SIGTERM, build(stopped))
    ShutdownSignals().after_process_boot(None)
    def interrupt(frame, event, argument):
        global calls
        calls += 1
        if calls == number:
            signal.raise_signal(signal.SIGTERM)
    sys.setprofile(interrupt)
    signal.raise_signal(signal.SIGTERM)
    sys.setprofile(None)
    assert len(stopped) == 1
print("done", calls > 0)
"""


def test_signal_that_interrupts_the_handler_of_another_one_has_no_effect() -> None:
    """Signals to a process and its group arrive at almost the same time. Dramatiq takes the second one for a kill."""
    done = subprocess.run([sys.executable, "-c", NESTED], capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "done True\n", "")


#: A worker process that fails after its event loop has started.
FAILING = """
from financehub_shared.worker.middleware.shutdown import DaemonEventLoop
DaemonEventLoop().before_worker_boot(None, None)
raise SystemExit(3)
"""


def test_event_loop_does_not_keep_a_process_alive_that_fails_while_it_starts() -> None:
    """Nobody stops the event loop of a worker that has not booted, and the interpreter does not wait for it."""
    done = subprocess.run([sys.executable, "-c", FAILING], capture_output=True, timeout=60, check=False)
    assert done.returncode == 3
