"""A queue of uids whose status must be written: urgent ones first, the others at their times."""

import heapq
import math


class DelayQueue:
    """Uids in the order in which their statuses must be written. Each uid is in the queue at most once."""

    def __init__(self) -> None:
        #: An ordered set of the urgent uids. The newest is the last key.
        self._urgent: dict[str, None] = {}
        #: uid → monotonic time in seconds at which its status must be written, for uids that are not urgent.
        self._at: dict[str, float] = {}
        #: A heap of (time, uid). Outdated entries are dropped when they reach the top.
        self._heap: list[tuple[float, str]] = []

    def __len__(self) -> int:
        return len(self._urgent) + len(self._at)

    def clear(self) -> None:
        """Remove everything."""
        self._urgent.clear()
        self._at.clear()
        self._heap.clear()

    def put(self, uid: str, at: float) -> None:
        """Add a uid with the monotonic time of its write. If it is already in the queue, the earlier time counts."""
        if uid not in self._urgent and at < self._at.get(uid, math.inf):
            self._at[uid] = at
            heapq.heappush(self._heap, (at, uid))

    def put_now(self, uid: str) -> None:
        """Add a uid ahead of all others. A user's change must not wait for thousands of other writes."""
        self._at.pop(uid, None)
        # The uid is removed first, so that it becomes the last key.
        self._urgent.pop(uid, None)
        self._urgent[uid] = None

    def pop(self, now: float, limit: int) -> list[str]:
        """Remove and return up to `limit` uids: urgent ones, newest first, then those whose time has come, in order."""
        popped: list[str] = []
        while self._urgent and len(popped) < limit:
            popped.append(self._urgent.popitem()[0])
        while self._heap and self._heap[0][0] <= now and len(popped) < limit:
            at, uid = heapq.heappop(self._heap)
            if self._at.get(uid) == at:
                del self._at[uid]
                popped.append(uid)
        return popped
