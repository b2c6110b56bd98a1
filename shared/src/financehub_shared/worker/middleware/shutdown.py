"""Middleware that makes a worker process end in time, however often and from where it is told to stop.

A process manager such as systemd sends SIGTERM to a whole process group, and dramatiq's parent process forwards its own
signal, so the worker process receives two. Dramatiq takes the second one for an order to exit at once. It raises
SystemExit in the main thread, which skips the shutdown of the worker, and the interpreter then waits for the thread of
the event loop, which nobody has stopped, forever.
"""

import contextlib
import inspect
import io
import signal
import sys
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

from dramatiq import Broker, Middleware, Worker
from dramatiq.asyncio import EventLoopThread, set_event_loop_thread
from dramatiq.middleware import AsyncIO

from financehub_shared.core.exit_deadline import ExitDeadline

#: Time after dramatiq's shutdown timeout for requeueing messages and writing run records, which takes several timeouts
#: if Redis hangs. The chart's grace period is 30 s longer than the shutdown timeout.
EXIT_SECONDS = 20.0
#: Dramatiq's default of `--worker-shutdown-timeout`.
_DEFAULT_TIMEOUT_SECONDS = 600.0


class ShutdownSignals(Middleware):
    """Stops the worker at the first signal, ignores the others, and ends the process at a deadline."""

    def __init__(self) -> None:
        self._is_stopping = False

    def after_process_boot(self, broker: Broker) -> None:
        """Replace dramatiq's signal handlers. Does nothing in a process that the command `dramatiq` has not started."""
        if threading.current_thread() is not threading.main_thread():
            return
        stop = signal.getsignal(signal.SIGTERM)
        if not callable(stop) or getattr(stop, "__module__", "") != "dramatiq.cli":
            return
        # The thread of the deadline starts now, because a signal handler cannot always start one.
        deadline = ExitDeadline(_shutdown_timeout() + EXIT_SECONDS)

        def handle(number: int, frame: FrameType | None) -> None:
            if not self._is_stopping:
                self._is_stopping = True
                deadline.begin()
                if _is_running(stop):
                    stop(number, frame)

        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, handle)
        if not _is_running(stop):
            # The first signal arrived while the process was starting, and dramatiq's handler received it.
            handle(signal.SIGTERM, None)


def _shutdown_timeout() -> float:
    """Return dramatiq's shutdown timeout in seconds, which only its command line contains."""
    # Imported here, because processes that only enqueue do not need it.
    from dramatiq.cli import make_argument_parser

    try:
        # A program may call `dramatiq.cli.main` with arguments that are not those of its own command line.
        with contextlib.redirect_stderr(io.StringIO()), contextlib.redirect_stdout(io.StringIO()):
            options, _ = make_argument_parser().parse_known_args(sys.argv[1:])
    except SystemExit:
        return _DEFAULT_TIMEOUT_SECONDS
    return float(options.worker_shutdown_timeout) / 1_000


def _is_running(stop: Callable[..., Any]) -> bool:
    """Whether dramatiq's handler has not received a signal yet. It keeps this in a variable of its closure."""
    return bool(inspect.getclosurevars(stop).nonlocals.get("running", True))


class DaemonEventLoop(AsyncIO):
    """Dramatiq's event loop in a daemon thread, which does not keep a process alive that fails while it starts."""

    def before_worker_boot(self, broker: Broker, worker: Worker) -> None:
        """Start the event loop."""
        thread = EventLoopThread(self.logger)
        thread.daemon = True
        thread.start(timeout=1.0)
        set_event_loop_thread(thread)
