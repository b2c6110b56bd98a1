"""Figures of every queue there is: those of the tiers, and those that users add."""

import threading

import redis

from financehub_shared.broker.queues import QueueStats, discover_queues, queue_stats
from financehub_shared.core.catalog import Tier
from financehub_shared.core.clock import Clock

#: New queues come with new tiers, which are rare; finding them walks the whole keyspace.
DISCOVER_SECONDS = 60.0


class QueueWatch:
    """Reads the figures of all queues in two round trips, and now and then looks for new queues.

    Args:
        client: Redis of the queues.
        heartbeat_timeout_seconds: a worker silent for this long is dead.
        clock: when to look for new queues.
    """

    def __init__(self, client: "redis.Redis", heartbeat_timeout_seconds: float, clock: Clock) -> None:
        self._client = client
        self._timeout = heartbeat_timeout_seconds
        self._clock = clock
        self._lock = threading.Lock()
        self._found: set[str] = set()
        self._looked_at = float("-inf")

    def __call__(self) -> list[QueueStats]:
        """Figures of all queues, by name.

        Raises:
            redis.RedisError: Redis does not answer.
        """
        with self._lock:
            now = self._clock.monotonic()
            if now - self._looked_at > DISCOVER_SECONDS:
                self._found = discover_queues(self._client)
                self._looked_at = now
            queues = sorted({*Tier, *self._found})
        return queue_stats(self._client, queues, heartbeat_timeout_seconds=self._timeout)

    def one(self, queue: str) -> QueueStats:
        """Figures of one queue; one that nobody has used yet is empty.

        Args:
            queue: its name.

        Raises:
            redis.RedisError: Redis does not answer.
        """
        (stats,) = queue_stats(self._client, [queue], heartbeat_timeout_seconds=self._timeout)
        return stats
