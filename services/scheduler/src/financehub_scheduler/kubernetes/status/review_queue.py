"""A queue of schedules whose records must be read again to decide whether their statuses must be written."""

from collections import deque
from collections.abc import Iterable


class ReviewQueue:
    """Uids in review order: changed ones first, starting with the newest change, then a sweep."""

    def __init__(self) -> None:
        #: An ordered set. The newest change is the last key.
        self._changed: dict[str, None] = {}
        self._sweep: deque[str] = deque()

    def clear(self) -> None:
        """Remove everything."""
        self._changed.clear()
        self._sweep.clear()

    def add(self, uids: Iterable[str]) -> None:
        """Add changed uids. They are reviewed first, so that a user's change does not wait for thousands of reviews."""
        for uid in uids:
            self._changed.pop(uid, None)
            self._changed[uid] = None

    def sweep(self, uids: Iterable[str]) -> None:
        """Replace the sweep: the uids that are reviewed in order after all changed ones."""
        self._sweep = deque(uids)

    def take(self, limit: int) -> list[str]:
        """Remove and return up to `limit` uids."""
        taken: list[str] = []
        while self._changed and len(taken) < limit:
            taken.append(self._changed.popitem()[0])
        while self._sweep and len(taken) < limit:
            taken.append(self._sweep.popleft())
        return taken

    def put_back(self, taken: list[str]) -> None:
        """Put back uids that could not be reviewed, in the order in which they were taken."""
        self.add(reversed(taken))
