"""Sets up the threads that handle requests."""

import sys
from typing import Final

import anyio.to_thread

#: Requests that are handled at the same time. Others wait for them, which takes milliseconds. More threads would not be
#: faster, because they share one interpreter lock, and pages that 16 of them made at once took 5 MB more.
THREADS: Final = 8
#: Seconds after which a thread lets another one run. While one thread reads 1,000 prices for 30 ms, a request needs the
#: interpreter several times, and would wait 5 ms each time by default.
SWITCH_SECONDS: Final = 0.001


def prepare_threads() -> None:
    """Limit the threads of the running event loop, and let them take turns quickly."""
    anyio.to_thread.current_default_thread_limiter().total_tokens = THREADS
    sys.setswitchinterval(SWITCH_SECONDS)
