"""Makes responses that take time, one after another, and makes each of them once for all clients that wait for it."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from typing import Generic, TypeVar

from financehub_shared.core.errors import FinanceHubError

T = TypeVar("T")

#: Different results that may wait at the same time. Real clients ask for few: reports, metrics and the queues of tiers.
MAX_WAITING = 32
#: Pause after each result. Clients that ask without a pause share more results instead of keeping a CPU busy.
PAUSE_SECONDS = 0.05


class LaneFullError(FinanceHubError):
    """Too many different results are waiting to be made, or there is no thread that could make them."""


class Lane(Generic[T]):
    """Makes results in one thread.

    The thread is a daemon, so that a process can exit while Redis hangs. It starts with the first result and therefore
    after any fork.

    Args:
        name: Name of the thread.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        #: Name of a result → its future, until it is made.
        self._waiting: dict[str, Future[T]] = {}
        self._work: SimpleQueue[tuple[str, Callable[[], T], Future[T]]] = SimpleQueue()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def submit(self, name: str, make: Callable[[], T]) -> "Future[T]":
        """Return the future of a result. If a result with this name is waiting or being made, it is the same future.

        Args:
            name: Name of the result.
            make: Makes the result.

        Raises:
            LaneFullError: `MAX_WAITING` other results are waiting, or the process cannot start the thread. The next
                call tries again.
        """
        with self._lock:
            if name in self._waiting:
                return self._waiting[name]
            if len(self._waiting) >= MAX_WAITING:
                raise LaneFullError(f"{MAX_WAITING} other results are waiting")
            if self._thread is None:
                self._thread = self._start()
            future = self._waiting[name] = Future()
            self._work.put((name, make, future))
            return future

    def _start(self) -> threading.Thread:
        thread = threading.Thread(target=self._run, name=self._name, daemon=True)
        try:
            thread.start()
        except RuntimeError as error:
            raise LaneFullError("the process cannot start a thread; check its limit of processes") from error
        return thread

    def _run(self) -> None:
        while True:
            name, make, future = self._work.get()
            result: T | None = None
            failure: Exception | None = None
            try:
                result = make()
            except Exception as error:  # noqa: BLE001 — boundary: every waiting client gets the error, and the lane goes on
                failure = error
            with self._lock:
                # from here on, a client gets a newer result
                del self._waiting[name]
            if failure is not None:
                future.set_exception(failure)
            else:
                future.set_result(result)  # type: ignore[arg-type]  # made above
            time.sleep(PAUSE_SECONDS)
