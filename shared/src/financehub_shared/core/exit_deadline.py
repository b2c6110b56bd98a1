"""The last resort of a process that has been told to stop: it ends at a deadline, whatever keeps it."""

import contextlib
import os
import signal
import threading
import time

from financehub_shared.core.log import get_logger

log = get_logger(__name__)

#: Time for the last log line, which might wait for a full pipe.
_LOG_SECONDS = 1.0
#: Exit code of a process that did not end in time, as after SIGKILL in a shell.
EXIT_CODE = 128 + signal.SIGKILL


class ExitDeadline:
    """Ends this process with one log line some time after `begin`, unless it has ended by itself.

    Nothing else ends a process whose thread is in C code, or that waits for a thread that somebody's task has started.
    The thread of the deadline starts at once and waits. A signal handler should not start one, because that fails if
    the limit of threads is reached, and because it uses locks of `threading` that the interrupted thread may hold.

    Args:
        seconds: Time between `begin` and the end of the process.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._reading, self._writing = os.pipe()
        os.set_blocking(self._writing, False)
        threading.Thread(target=self._run, name="exit-deadline", daemon=True).start()

    def begin(self) -> None:
        """Start the time, once. Signal handlers may call this, because it needs no lock and never waits."""
        with contextlib.suppress(BlockingIOError):  # thousands of signals have filled the pipe
            os.write(self._writing, b"\0")

    def _run(self) -> None:
        os.read(self._reading, 1)
        time.sleep(self._seconds)
        _exit_at_once(self._seconds)


def _exit_at_once(seconds: float) -> None:
    try:
        threads = sorted(thread.name for thread in threading.enumerate() if thread is not threading.current_thread())
        fields = {"limit_seconds": seconds, "threads": threads, "consequence": "the process ends without further work"}
        logging = threading.Thread(target=log.error, args=("shutdown_failed",), kwargs=fields, daemon=True)
        logging.start()
        logging.join(_LOG_SECONDS)
    finally:
        os._exit(EXIT_CODE)  # also if the process can start no thread
