"""The messages that this process has fetched from one queue, and those that it has finished lately."""

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from financehub_shared.core.wake_up import WakeUp

#: Redis sends a write to its replicas within milliseconds, so a failover can only undo the latest steps of a process.
FINISHED_KEPT = 1_000

#: A fetched message: its id in Redis, the queue entry, and the number of workers that died while they held it.
Fetched = tuple[str, bytes, int]


class InFlightMessages:
    """The messages of one queue that this process holds; the object outlives the queue's consumers.

    Consumer and worker threads use it at the same time. A worker thread fetches the next message with an
    acknowledgment. Until it has noted that message, Redis assigns a message to this process that this object does not
    know. `settled` therefore waits for these fetches before the two are compared, and lets none begin meanwhile.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        #: Id of each message that is fetched and not yet acknowledged or given back → its size in bytes.
        self._sizes: dict[str, int] = {}
        #: Those of them that were fetched again, because their first fetch was undone or they were given back.
        self._fetched_again: set[str] = set()
        #: Size of all of them in bytes.
        self.bytes = 0
        #: Set whenever a message is removed, for a consumer that waits for room.
        self.freed = WakeUp()
        #: Id of each finished message → id of its last attempt (see `message.attempt_id`), the oldest first.
        self._finished: dict[str, str] = {}
        #: Messages that worker threads have fetched for the consumer. They are in flight.
        self.handed_over: deque[Fetched] = deque()
        #: Whether Redis may assign a message to this process that it does not know: the reply to a fetch of a worker
        #: thread was lost, or a message that this process gave back was fetched again before it was forgotten.
        self.is_doubtful = False
        self._fetching = 0
        self._comparing = 0
        self._fetched = threading.Condition(self._lock)

    def __contains__(self, redis_id: object) -> bool:
        return redis_id in self._sizes

    def note_repeated_fetch(self, redis_id: str) -> bool:
        """Return whether a fetched message is held already, and note it, because it must not be delivered again.

        This process may be about to forget it, because it has given it back or acknowledged it. Redis then assigns a
        message to this process that it does not know.
        """
        with self._lock:
            if redis_id not in self._sizes:
                return False
            self._fetched_again.add(redis_id)
            return True

    def __len__(self) -> int:
        return len(self._sizes)

    @property
    def ids(self) -> tuple[str, ...]:
        """Ids of the messages that are fetched and not yet acknowledged or given back."""
        with self._lock:
            return tuple(self._sizes)

    @property
    def finished(self) -> list[tuple[str, str]]:
        """The latest acknowledged messages whose runs are complete, each with the id of its last attempt.

        This attempt must not run again. A message that was enqueued again under its id has another one.
        """
        with self._lock:
            return [each for each in self._finished.items() if each[0] not in self._sizes]

    def add(self, redis_id: str, size: int) -> None:
        """Note a fetched message and its size in bytes."""
        with self._lock:
            self.bytes += size - self._sizes.get(redis_id, 0)
            self._sizes[redis_id] = size

    def finished_attempt(self, redis_id: str) -> str | None:
        """Return the id of the last attempt of a message, or None if it is not one of the latest finished ones."""
        return self._finished.get(redis_id)

    def finish(self, redis_id: str, attempt_id: str) -> None:
        """Remember that an acknowledged message has run."""
        with self._lock:
            self._finished.pop(redis_id, None)
            self._finished[redis_id] = attempt_id
            if len(self._finished) > FINISHED_KEPT:
                del self._finished[next(iter(self._finished))]

    def remove(self, redis_id: str) -> None:
        """Forget a message that Redis no longer assigns to this process."""
        with self._lock:
            self.bytes -= self._pop(redis_id)
        self.freed.set()

    def replace(self, redis_id: str, successor: str, size: int) -> None:
        """Forget an acknowledged message, and note the one that was fetched with its acknowledgment.

        Args:
            redis_id: Id of the acknowledged message.
            successor: Id of the fetched message.
            size: Size of the fetched message in bytes.
        """
        with self._lock:
            self.bytes += size - self._pop(redis_id) - self._sizes.get(successor, 0)
            self._sizes[successor] = size

    def _pop(self, redis_id: str) -> int:
        """Forget a message and return its size. The caller holds the lock."""
        if redis_id in self._fetched_again:
            self._fetched_again.remove(redis_id)
            self.is_doubtful = True
        return self._sizes.pop(redis_id, 0)

    def begin_fetch(self) -> bool:
        """Begin the fetch of a worker thread, or return False if none may begin now."""
        with self._lock:
            if self._comparing:
                return False
            self._fetching += 1
            return True

    def end_fetch(self) -> None:
        """End the fetch of a worker thread. The fetched message is noted, or nobody will deliver it."""
        with self._lock:
            self._fetching -= 1
            if self._comparing:
                self._fetched.notify_all()

    def doubt(self) -> None:
        """Note that the reply to a fetch of a worker thread was lost, and wake the consumer."""
        self.is_doubtful = True
        self.freed.set()

    @contextmanager
    def settled(self) -> Iterator[None]:
        """Wait until no worker thread fetches, and let none begin to. A fetch takes a few timeouts of Redis at most."""
        with self._lock:
            self._comparing += 1
            while self._fetching:
                self._fetched.wait()
        try:
            yield
        finally:
            with self._lock:
                self._comparing -= 1

    def clear(self) -> None:
        """Forget all messages, because the consumer that held them has ended."""
        with self._lock:
            self._sizes.clear()
            self._fetched_again.clear()
            self.handed_over.clear()
            self.bytes = 0
