"""When each status is to be compared and written: of several wishes the earliest counts."""

import heapq
import math


class Agenda:
    """Uids by time. Times are monotonic seconds."""

    def __init__(self) -> None:
        self._at: dict[str, float] = {}
        #: Entries whose time is no longer the uid's stay until they surface.
        self._heap: list[tuple[float, str]] = []

    def __len__(self) -> int:
        return len(self._at)

    def put(self, uid: str, at: float) -> None:
        """Plan it for a time, unless it is planned for an earlier one."""
        if at < self._at.get(uid, math.inf):
            self._at[uid] = at
            heapq.heappush(self._heap, (at, uid))

    def urge(self, uid: str, now: float) -> None:
        """Plan it for now and before all others: what somebody has just applied does not wait for thousands."""
        self.put(uid, -now)

    def pop(self, now: float, limit: int) -> list[str]:
        """Take out up to `limit` of those whose time has come, in order."""
        due: list[str] = []
        while self._heap and self._heap[0][0] <= now and len(due) < limit:
            at, uid = heapq.heappop(self._heap)
            if self._at.get(uid) == at:
                del self._at[uid]
                due.append(uid)
        return due
