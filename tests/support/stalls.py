"""Measures for how long the machine executed nothing, so that limits of response times can allow for it."""

import threading
import time
from types import TracebackType
from typing import Self

_INTERVAL_SECONDS = 0.05


class Stalls:
    """A thread that only sleeps, from the beginning to the end of a `with` block.

    It continues too late if the whole machine is stopped for a while, or if all of its processors are busy. Everything
    else is then late as well, no matter what the product does.
    """

    def __init__(self) -> None:
        #: The longest delay so far, in seconds.
        self.longest = 0.0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._measure, name="stalls", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()

    def _measure(self) -> None:
        before, has_ended = time.monotonic(), False
        while not has_ended:
            # After a stall, the block may end before this thread runs again.
            has_ended = self._ended.wait(_INTERVAL_SECONDS)
            now = time.monotonic()
            self.longest = max(self.longest, now - before - _INTERVAL_SECONDS)
            before = now
