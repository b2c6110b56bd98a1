"""Reads the statistics of all queues, both for the built-in tiers and for tiers that users added."""

import threading

import redis

from financehub_shared.broker.queues import QueueStats, discover_queues, queue_stats
from financehub_shared.core.catalog import Tier
from financehub_shared.core.clock import Clock
from financehub_shared.core.exception_text import describe_exception
from financehub_shared.core.log import get_logger

log = get_logger(__name__)

#: Discovery scans all keys, and new queues are rare because they come with new tiers. A scan of 1,000,000 keys, such as
#: the records of as many waiting runs, takes about a second.
DISCOVER_SECONDS = 60.0


class QueueReader:
    """Reads the statistics of all queues in two round trips, and looks for new queues every `DISCOVER_SECONDS`.

    Only the first reading waits until all queues are found. Later, a thread looks for new ones, and the readings in the
    meantime have the queues that are known.

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
        self._discovered_at: float | None = None
        self._is_discovering = False

    def read_all(self) -> list[QueueStats]:
        """Return the statistics of all queues, sorted by name.

        Raises:
            redis.RedisError: Redis is unavailable.
        """
        with self._lock:
            now = self._clock.monotonic()
            if self._discovered_at is None:
                self._discovered = discover_queues(self._client)
                self._discovered_at = now
            elif now - self._discovered_at > DISCOVER_SECONDS and not self._is_discovering:
                self._start_discovery()
            queues = sorted({*Tier, *self._discovered})
        return queue_stats(self._client, queues, heartbeat_timeout_seconds=self._timeout)

    def _start_discovery(self) -> None:
        self._is_discovering = True
        try:
            threading.Thread(target=self._discover, name="queue-discovery", daemon=True).start()
        except RuntimeError as error:  # the limit of threads of the process or of its container
            self._is_discovering = False
            self._give_up(error)

    def _discover(self) -> None:
        try:
            self._discovered = discover_queues(self._client)
            self._discovered_at = self._clock.monotonic()
        except redis.RedisError:
            pass  # the readings report that Redis is unavailable, and the next one starts another discovery
        except Exception as error:  # noqa: BLE001 — boundary: the thread has no caller that could report the error
            self._give_up(error)
        finally:
            self._is_discovering = False

    def _give_up(self, error: Exception) -> None:
        """Report a discovery that failed for another reason than Redis. The next one is due as if it had succeeded."""
        self._discovered_at = self._clock.monotonic()
        log.error(
            "queue_discovery_failed",
            error=describe_exception(error),
            retry_in=DISCOVER_SECONDS,
            consequence="queues that were used for the first time since the last search are not reported",
        )

    def read(self, queue: str) -> QueueStats:
        """Return one queue's statistics. A queue that was never used counts as empty.

        Args:
            queue: Name of the queue.

        Raises:
            redis.RedisError: Redis is unavailable.
        """
        (stats,) = queue_stats(self._client, [queue], heartbeat_timeout_seconds=self._timeout)
        return stats
