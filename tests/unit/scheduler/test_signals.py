"""Signals that arrive while a scheduler ends."""

import os
import signal
import subprocess
import sys
import time

from financehub_shared.core.exit_deadline import EXIT_CODE

#: It has a second thread, which gets the signals that the main thread blocks.
PROCESS = """
import asyncio, signal, threading, time
from financehub_scheduler.signals import handle_signals, ignore_signals

SIGNALS = (signal.SIGTERM, signal.SIGINT)

async def main():
    threading.Thread(target=time.sleep, args=(3_600,), daemon=True).start()
    stopped = asyncio.Event()
    handle_signals(SIGNALS, stopped.set)
    print("ready", flush=True)
    await stopped.wait()
    end = time.monotonic() + 0.5
    while time.monotonic() < end:  # each time, the handlers are replaced while signals arrive
        ignore_signals(SIGNALS)
        handle_signals(SIGNALS, stopped.set)
    ignore_signals(SIGNALS)

asyncio.run(main())
"""


def test_signals_during_the_end_of_a_process_do_not_kill_it():
    """The default handler is never restored, so a process that ends by itself exits with 0."""
    command = [sys.executable, "-c", PROCESS]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        process.stdout.readline()
        while process.poll() is None:
            for number in (signal.SIGTERM, signal.SIGINT):
                os.kill(process.pid, number)  # to a zombie at worst, until `poll` has read its exit code
            # A Python process that gets hundreds of thousands of signals per second nests its handlers without end.
            time.sleep(0.0005)
    assert process.returncode == 0


#: Its event loop is blocked and cannot stop it.
BLOCKED = """
import asyncio, signal, time
from financehub_scheduler.signals import handle_signals
from financehub_shared.core.exit_deadline import ExitDeadline

async def main():
    handle_signals([signal.SIGTERM], lambda: None, ExitDeadline(0.3))
    signal.raise_signal(signal.SIGTERM)
    time.sleep(3_600)

asyncio.run(main())
"""


def test_signal_to_a_blocked_event_loop_ends_the_process_at_its_deadline():
    """The deadline does not need the event loop, which somebody's code may keep from running."""
    command = [sys.executable, "-c", BLOCKED]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == EXIT_CODE
    assert "shutdown_failed" in done.stdout
