"""Clients that belong to an event loop, built on first use inside it."""

import asyncio
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class PerLoop(Generic[T]):
    """One object for the running event loop; another loop (a test, a CLI command) gets a new one.

    A connection pool waits on the loop it was made in; used from another loop it hangs or raises.

    Args:
        build: makes the object; called inside a running loop, never at construction.
    """

    def __init__(self, build: Callable[[], T]) -> None:
        self._build = build
        self._loop: asyncio.AbstractEventLoop | None = None
        self._object: T | None = None

    def get(self) -> T:
        """The object of the running loop."""
        loop = asyncio.get_running_loop()
        if self._object is None or self._loop is not loop:
            self._object, self._loop = self._build(), loop
        return self._object

    def take(self) -> T | None:
        """Give the object away to be closed; None when there is none for the running loop."""
        taken = self._object if self._loop is asyncio.get_running_loop() else None
        self._object = self._loop = None
        return taken
