"""Queue of uids whose status must be written, ordered by time. Only the earliest time of each uid counts."""

import heapq
import math


class DelayQueue:
    """Uids ordered by time. Times are monotonic seconds."""

    def __init__(self) -> None:
        self._at: dict[str, float] = {}
        #: May contain outdated times of a uid. They are dropped when they reach the top.
        self._heap: list[tuple[float, str]] = []

    def __len__(self) -> int:
        return len(self._at)

    def clear(self) -> None:
        """Remove everything."""
        self._at.clear()
        self._heap.clear()

    def put(self, uid: str, at: float) -> None:
        """Add a uid, or move it if `at` is earlier than its current time."""
        if at < self._at.get(uid, math.inf):
            self._at[uid] = at
            heapq.heappush(self._heap, (at, uid))

    def put_now(self, uid: str, now: float) -> None:
        """Add a uid before all others, the newest first. A change by a user must not wait for thousands of others."""
        self.put(uid, -now)

    def pop(self, now: float, limit: int) -> list[str]:
        """Remove and return up to `limit` uids whose time has come, in order."""
        due: list[str] = []
        while self._heap and self._heap[0][0] <= now and len(due) < limit:
            at, uid = heapq.heappop(self._heap)
            if self._at.get(uid) == at:
                del self._at[uid]
                due.append(uid)
        return due
