"""Middleware that makes a worker process end in time, however often and from where it is told to stop.

A process manager such as systemd sends SIGTERM to a whole process group, and dramatiq's parent process forwards its own
signal, so the worker process receives two. Dramatiq takes the second one for an order to exit at once. It raises
SystemExit in the main thread, which skips the shutdown of the worker, and the interpreter then waits for the thread of
the event loop, which nobody has stopped, for ever.
"""

import os
import signal
import sys
import threading
from types import FrameType

import structlog
from dramatiq import Broker, Middleware, Worker
from dramatiq.asyncio import EventLoopThread, set_event_loop_thread
from dramatiq.middleware import AsyncIO

log = structlog.get_logger(__name__)

#: Time after dramatiq's shutdown timeout for requeueing messages and writing run records, which takes several timeouts
#: if Redis hangs. The chart's grace period is 30 s longer than the shutdown timeout.
EXIT_SECONDS = 20.0
#: Time for the last log line, which might wait for a full pipe.
_LOG_SECONDS = 1.0
#: Exit code of a process that did not end in time, as after SIGKILL in a shell.
EXIT_CODE = 128 + signal.SIGKILL


class ShutdownSignals(Middleware):
    """Stops the worker at the first signal, ignores the others, and ends the process at the latest after the deadline.

    The deadline is the last resort for what nothing can interrupt: a thread in C code, or a thread that a task has
    started and that the interpreter would wait for.
    """

    def __init__(self) -> None:
        self._is_stopping = False

    def after_process_boot(self, broker: Broker) -> None:
        """Replace dramatiq's signal handlers. Does nothing in a process that the command `dramatiq` has not started."""
        if threading.current_thread() is not threading.main_thread():
            return
        stop = signal.getsignal(signal.SIGTERM)
        if not callable(stop) or getattr(stop, "__module__", "") != "dramatiq.cli":
            return
        # Imported here, because processes that only enqueue do not need it.
        from dramatiq.cli import make_argument_parser

        options, _ = make_argument_parser().parse_known_args(sys.argv[1:])
        seconds = options.worker_shutdown_timeout / 1_000 + EXIT_SECONDS

        def handle(number: int, frame: FrameType | None) -> None:
            if not self._is_stopping:
                self._is_stopping = True
                start_exit_deadline(seconds)
                stop(number, frame)

        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, handle)


def start_exit_deadline(seconds: float) -> None:
    """End this process with one log line after the given seconds, unless it has ended by itself."""
    timer = threading.Timer(seconds, _exit_at_once, (seconds,))
    timer.daemon = True
    timer.start()


def _exit_at_once(seconds: float) -> None:
    threads = sorted(thread.name for thread in threading.enumerate() if thread is not threading.current_thread())
    fields = {"limit_seconds": seconds, "threads": threads, "consequence": "the process ends without further work"}
    logging = threading.Thread(target=log.error, args=("shutdown_failed",), kwargs=fields, daemon=True)
    logging.start()
    logging.join(_LOG_SECONDS)
    os._exit(EXIT_CODE)


class DaemonEventLoop(AsyncIO):
    """Dramatiq's event loop in a daemon thread, which does not keep a process alive that fails while it starts."""

    def before_worker_boot(self, broker: Broker, worker: Worker) -> None:
        """Start the event loop."""
        thread = EventLoopThread(self.logger)
        thread.daemon = True
        thread.start(timeout=1.0)
        set_event_loop_thread(thread)
