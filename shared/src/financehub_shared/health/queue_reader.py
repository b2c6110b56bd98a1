"""Reads the statistics of all queues, both for the built-in tiers and for tiers that users added."""

import threading

import redis

from financehub_shared.broker.queues import QueueStats, discover_queues, queue_stats
from financehub_shared.core.catalog import Tier
from financehub_shared.core.clock import Clock

#: Discovery scans all keys, and new queues are rare because they come with new tiers.
DISCOVER_SECONDS = 60.0


class QueueReader:
    """Reads the statistics of all queues in two round trips, and looks for new queues every `DISCOVER_SECONDS`.

    Args:
        client: Client for the queue Redis.
        heartbeat_timeout_seconds: A worker without a heartbeat for this long counts as dead.
        clock: Decides when to look for new queues.
    """

    def __init__(self, client: "redis.Redis", heartbeat_timeout_seconds: float, clock: Clock) -> None:
        self._client = client
        self._timeout = heartbeat_timeout_seconds
        self._clock = clock
        self._lock = threading.Lock()
        self._discovered: set[str] = set()
        self._discovered_at = float("-inf")

    def read_all(self) -> list[QueueStats]:
        """Return the statistics of all queues, sorted by name.

        Raises:
            redis.RedisError: Redis is unavailable.
        """
        with self._lock:
            now = self._clock.monotonic()
            if now - self._discovered_at > DISCOVER_SECONDS:
                self._discovered = discover_queues(self._client)
                self._discovered_at = now
            queues = sorted({*Tier, *self._discovered})
        return queue_stats(self._client, queues, heartbeat_timeout_seconds=self._timeout)

    def read(self, queue: str) -> QueueStats:
        """Return one queue's statistics. A queue that was never used counts as empty.

        Args:
            queue: Name of the queue.

        Raises:
            redis.RedisError: Redis is unavailable.
        """
        (stats,) = queue_stats(self._client, [queue], heartbeat_timeout_seconds=self._timeout)
        return stats
