"""The last resort of a process that has been told to stop: it ends at a deadline, whatever keeps it."""

import os
import signal
import threading

import structlog

log = structlog.get_logger(__name__)

#: Time for the last log line, which might wait for a full pipe.
_LOG_SECONDS = 1.0
#: Exit code of a process that did not end in time, as after SIGKILL in a shell.
EXIT_CODE = 128 + signal.SIGKILL


def start_exit_deadline(seconds: float) -> None:
    """End this process with one log line after the given seconds, unless it has ended by itself.

    Nothing else ends a process whose thread is in C code, or that waits for a thread that somebody's task has started.
    """
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
