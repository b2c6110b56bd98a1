"""The messages that this process has fetched from one queue, and those that it has finished lately."""

import threading
from collections import deque

#: Redis sends a write to its replicas within milliseconds, so a failover can only undo the latest acknowledgments.
FINISHED_KEPT = 1_000


class InFlightMessages:
    """The messages of one queue that this process holds; the object outlives the queue's consumers.

    Consumer and worker threads use it at the same time.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        #: Id of each message that is fetched and not yet acknowledged or given back → its size in bytes.
        self._sizes: dict[str, int] = {}
        #: Size of all of them in bytes.
        self.bytes = 0
        #: Set whenever a message is removed, for a consumer that waits for room.
        self.freed = threading.Event()
        self._finished: deque[str] = deque(maxlen=FINISHED_KEPT)

    def __len__(self) -> int:
        return len(self._sizes)

    @property
    def ids(self) -> tuple[str, ...]:
        """Ids of the messages that are fetched and not yet acknowledged or given back."""
        with self._lock:
            return tuple(self._sizes)

    @property
    def finished(self) -> list[str]:
        """Ids of the latest acknowledged messages whose runs are complete. They must not run again."""
        return [redis_id for redis_id in tuple(self._finished) if redis_id not in self._sizes]

    def add(self, redis_id: str, size: int) -> None:
        """Note a fetched message and its size in bytes."""
        with self._lock:
            self.bytes += size - self._sizes.get(redis_id, 0)
            self._sizes[redis_id] = size

    def finish(self, redis_id: str) -> None:
        """Forget an acknowledged message, and remember that it has run."""
        self._finished.append(redis_id)
        self.remove(redis_id)

    def remove(self, redis_id: str) -> None:
        """Forget a message that Redis no longer assigns to this process."""
        with self._lock:
            self.bytes -= self._sizes.pop(redis_id, 0)
        self.freed.set()

    def clear(self) -> None:
        """Forget all messages, because the consumer that held them has ended."""
        with self._lock:
            self._sizes.clear()
            self.bytes = 0
