"""The messages that this process has fetched from one queue and not yet acknowledged or given back."""

import threading


class InFlightMessages:
    """The messages of one queue that this process holds; the object outlives the queue's consumers."""

    def __init__(self) -> None:
        self.ids: set[str] = set()
        #: Set whenever a message is removed, for a consumer that waits for room.
        self.freed = threading.Event()

    def remove(self, redis_id: str) -> None:
        """Forget a message that Redis no longer assigns to this process."""
        self.ids.discard(redis_id)
        self.freed.set()
