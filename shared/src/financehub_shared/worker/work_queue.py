"""The queue between the consumers and the threads of a worker.

Dramatiq uses `queue.PriorityQueue`, whose conditions are written in Python. Each message passes it once, which took a
twelfth of the time that a worker needs for a message. `queue.SimpleQueue` has its locks in C, but in Python 3.11, a
thread whose item another thread takes after its timeout has passed waits without a limit, and its worker cannot stop.
"""

import heapq
import threading
from collections import deque
from queue import Empty
from typing import Any


class _Waiter:
    """A thread that waits for an item. The lock is held until it gets one."""

    __slots__ = ("item", "lock")

    def __init__(self) -> None:
        self.item: Any = None
        self.lock = threading.Lock()
        self.lock.acquire()


class WorkQueue:
    """A queue that returns the smallest item first, with the methods of `queue.PriorityQueue` that dramatiq uses."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._items: list[Any] = []
        #: The waiting threads, the first one first. There are none while there are items.
        self._waiters: deque[_Waiter] = deque()
        self._all_done = threading.Condition(self._lock)
        #: Number of items that were added and for which `task_done` was not called.
        self.unfinished_tasks = 0

    def qsize(self) -> int:
        """Return the number of items."""
        return len(self._items)

    def empty(self) -> bool:
        """Whether there is no item."""
        return not self._items

    def put(self, item: Any) -> None:
        """Add an item, or give it to a thread that waits."""
        with self._lock:
            self.unfinished_tasks += 1
            if self._waiters:
                waiter = self._waiters.popleft()
                waiter.item = item
                waiter.lock.release()
            else:
                heapq.heappush(self._items, item)

    def get(self, block: bool = True, timeout: float | None = None) -> Any:
        """Remove and return the smallest item.

        Args:
            block: Whether to wait for an item.
            timeout: Longest wait in seconds; None for no limit.

        Raises:
            queue.Empty: There was no item in time.
        """
        with self._lock:
            if self._items:
                return heapq.heappop(self._items)
            if not block:
                raise Empty
            waiter = _Waiter()
            self._waiters.append(waiter)
        is_given = False
        try:
            is_given = waiter.lock.acquire(timeout=-1 if timeout is None else max(0.0, timeout))
        finally:
            if not is_given:
                with self._lock:
                    # It may have got an item after its wait has ended.
                    is_given = waiter not in self._waiters
                    if not is_given:
                        self._waiters.remove(waiter)
        if not is_given:
            raise Empty
        return waiter.item

    def get_nowait(self) -> Any:
        """Remove and return the smallest item, or raise `queue.Empty`."""
        return self.get(block=False)

    def task_done(self) -> None:
        """Note that an item that `get` returned is processed.

        Raises:
            ValueError: It is called more often than there were items.
        """
        with self._lock:
            if not self.unfinished_tasks:
                raise ValueError("task_done() called too many times")
            self.unfinished_tasks -= 1
            if not self.unfinished_tasks:
                self._all_done.notify_all()

    def join(self) -> None:
        """Wait until all items are processed."""
        with self._lock:
            while self.unfinished_tasks:
                self._all_done.wait()
