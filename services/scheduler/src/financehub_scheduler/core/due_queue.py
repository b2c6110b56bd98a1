"""A heap of all schedules' next due times. Replaced entries stay in it until they reach the top."""

import heapq
import itertools


class DueQueue:
    """Holds one time per schedule, in Unix seconds."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, str]] = []
        self._current: dict[str, int] = {}
        self._numbers = itertools.count()

    def __len__(self) -> int:
        return len(self._current)

    def put(self, uid: str, at: float) -> None:
        """Set the time of a schedule."""
        number = next(self._numbers)
        self._current[uid] = number
        heapq.heappush(self._heap, (at, number, uid))

    def discard(self, uid: str) -> None:
        """Remove a schedule."""
        self._current.pop(uid, None)

    def next_time(self) -> float | None:
        """Return the earliest time, or None if the queue is empty."""
        while self._heap and self._current.get(self._heap[0][2]) != self._heap[0][1]:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def pop_due(self, now: float, limit: int) -> list[tuple[float, str]]:
        """Remove up to `limit` schedules whose time has come, and return (time, uid) of each, earliest first."""
        due: list[tuple[float, str]] = []
        while len(due) < limit and (at := self.next_time()) is not None and at <= now:
            uid = heapq.heappop(self._heap)[2]
            del self._current[uid]
            due.append((at, uid))
        return due
