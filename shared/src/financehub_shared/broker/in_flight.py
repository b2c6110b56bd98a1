"""The messages that this process has fetched from one queue, and those that it has finished lately."""

import threading
from collections import deque

#: Redis sends a write to its replicas within milliseconds, so a failover can only undo the latest acknowledgments.
FINISHED_KEPT = 1_000


class InFlightMessages:
    """The messages of one queue that this process holds; the object outlives the queue's consumers."""

    def __init__(self) -> None:
        #: Ids of the messages that are fetched and not yet acknowledged or given back.
        self.ids: set[str] = set()
        #: Set whenever a message is removed, for a consumer that waits for room.
        self.freed = threading.Event()
        self._finished: deque[str] = deque(maxlen=FINISHED_KEPT)

    @property
    def finished(self) -> list[str]:
        """Ids of the latest acknowledged messages whose runs are complete. They must not run again."""
        return [redis_id for redis_id in tuple(self._finished) if redis_id not in self.ids]

    def finish(self, redis_id: str) -> None:
        """Forget an acknowledged message, and remember that it has run."""
        self._finished.append(redis_id)
        self.remove(redis_id)

    def remove(self, redis_id: str) -> None:
        """Forget a message that Redis no longer assigns to this process."""
        self.ids.discard(redis_id)
        self.freed.set()
