"""Decides which lines of libraries are logged. FinanceHub's own lines say the same with more detail."""

import logging
import threading
import time
from collections.abc import Callable

#: Libraries whose INFO lines are not useful. httpx would log every URL.
QUIET_LIBRARIES = (
    "httpx",
    "httpcore",
    "urllib3",
    "redis",
    "watchfiles",
    "peewee",
    "asyncio",
    "kopf",
    "dramatiq.middleware.asyncio",
)
#: Libraries whose warnings and errors our own lines replace. yfinance logs one for each symbol, and the provider of
#: Yahoo reports the same failure.
SILENT_LIBRARIES = ("yfinance",)

#: Prefixes of dramatiq's messages about a finished run. The run log writes its own, more detailed line.
REPLACED_BY_RUN_LOG = (
    "Actor '",  # "… returned a value that is not None": it is the summary, which the observers read
    "Failed to process message %s with unhandled exception.",
    "Failed to process message %s with expected exception %s.",
    "Message %s was skipped.",
    "Retries exceeded for message %r.",
    "Retrying message %r in %d milliseconds.",
    "Aborting message %r.",
    "Message %r has exceeded its age limit.",
    # `message_dead_lettered` and the dead letter contain the name of the task.
    "Received message for undefined actor %r.",
)
#: Prefixes of dramatiq's messages that each thread repeats every few seconds while Redis is unavailable.
REPEATED_IN_OUTAGES = (
    "Consumer encountered a connection error: %s",
    "Restarting consumer in %0.2f seconds.",
    "Failed to post_process_message(%s) due to a connection error: %s",
)
#: Pause in seconds between two lines of one logger with the same prefix. Each consumer has its own logger.
REPEAT_SECONDS = 60.0


class LibraryFilter(logging.Filter):
    """Leaves out lines that are replaced, and lines that repeat.

    Args:
        monotonic: Returns the monotonic time in seconds.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._logged_at: dict[tuple[str, str], float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether a line is logged."""
        if not record.name.startswith("dramatiq.") or not isinstance(record.msg, str):
            return True
        if record.msg.startswith(REPLACED_BY_RUN_LOG):
            return not record.name.startswith(("dramatiq.worker.", "dramatiq.middleware."))
        repeated = next((prefix for prefix in REPEATED_IN_OUTAGES if record.msg.startswith(prefix)), None)
        if repeated is None:
            return True
        with self._lock:
            now = self._monotonic()
            key = (record.name, repeated)
            if now - self._logged_at.get(key, -REPEAT_SECONDS) < REPEAT_SECONDS:
                return False
            self._logged_at[key] = now
            return True
