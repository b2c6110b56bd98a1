"""Keeps one object per event loop, such as a connection pool, and builds it on first use."""

import asyncio
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class LoopLocal(Generic[T]):
    """One object per event loop. A new loop (in a test or a CLI command) gets a new object.

    A connection pool waits on the loop in which it was built. Used from another loop, it hangs or raises an error.

    Args:
        build: Builds the object. It is called inside a running loop, never in the constructor.
    """

    def __init__(self, build: Callable[[], T]) -> None:
        self._build = build
        self._objects: dict[asyncio.AbstractEventLoop, T] = {}
        self._lock = threading.Lock()

    def get(self) -> T:
        """Return the running loop's object, and build it if there is none yet."""
        loop = asyncio.get_running_loop()
        with self._lock:
            if loop not in self._objects:
                # the objects of closed loops can no longer be used
                self._objects = {known: value for known, value in self._objects.items() if not known.is_closed()}
                self._objects[loop] = self._build()
            return self._objects[loop]

    def pop(self) -> T | None:
        """Remove and return the running loop's object, or None if there is none, so that the caller can close it."""
        with self._lock:
            return self._objects.pop(asyncio.get_running_loop(), None)
