"""Limits the threads that handle requests."""

from typing import Final

import anyio.to_thread

#: Requests that are handled at the same time. Others wait for them, which takes milliseconds. More threads would need
#: memory and would not be faster, because they share one interpreter lock.
THREADS: Final = 16


def limit_threads() -> None:
    """Limit the threads of the running event loop."""
    anyio.to_thread.current_default_thread_limiter().total_tokens = THREADS
