"""A heap of next due times; entries that were replaced stay in it until they surface."""

import heapq
import itertools


class Timetable:
    """What is next, among many schedules. Times are Unix seconds."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, str]] = []
        self._current: dict[str, int] = {}
        self._numbers = itertools.count()

    def __len__(self) -> int:
        return len(self._current)

    def put(self, uid: str, at: float) -> None:
        """Set the next time of a schedule."""
        number = next(self._numbers)
        self._current[uid] = number
        heapq.heappush(self._heap, (at, number, uid))

    def discard(self, uid: str) -> None:
        """Forget a schedule."""
        self._current.pop(uid, None)

    def next_time(self) -> float | None:
        """The earliest time; None when there is nothing to wait for."""
        while self._heap and self._current.get(self._heap[0][2]) != self._heap[0][1]:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def pop_due(self, now: float, limit: int) -> list[tuple[float, str]]:
        """Take out up to `limit` schedules whose time has come, earliest first."""
        due: list[tuple[float, str]] = []
        while len(due) < limit and (at := self.next_time()) is not None and at <= now:
            uid = heapq.heappop(self._heap)[2]
            del self._current[uid]
            due.append((at, uid))
        return due
