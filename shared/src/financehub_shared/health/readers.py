"""Builds the fleet readers that every process needs: Redis clients, the queue reader and the health checker."""

from collections.abc import Callable, Sequence

import redis

from financehub_shared.core.clock import Clock, SystemClock
from financehub_shared.core.reader_settings import ReaderSettings
from financehub_shared.health.checker import HealthChecker
from financehub_shared.health.freshness import ScheduleFacts
from financehub_shared.health.queue_reader import QueueReader
from financehub_shared.market.protocols import Store
from financehub_shared.market.redis_store import RedisStore
from financehub_shared.market.unreadable import ReportUnreadable
from financehub_shared.redis.client import connect

#: Health responses, heartbeats and run records must not wait long for a hung Redis. All of them can be retried later.
OBSERVER_TIMEOUT_SECONDS = 2.0


def redis_servers(settings: ReaderSettings, timeout: float) -> dict[str, "redis.Redis"]:
    """Return a client for each Redis: `queues`, and `data` if the data is in a separate Redis."""
    servers = {"queues": connect(settings.broker_url, retries=0, timeout=timeout)}
    if settings.store_url != settings.broker_url:
        servers["data"] = connect(settings.store_url, retries=0, timeout=timeout)
    return servers


class RedisReaders:
    """The readers of the fleet's state. They share one client per Redis, and therefore its timeout.

    Args:
        settings: Redis URLs and check settings.
        clock: Source of time.
        timeout: Maximum duration of a command in seconds.
        known_schedules: See `HealthChecker`.
        report: Receives each stored record that cannot be read. By default, it is logged.
    """

    def __init__(
        self,
        settings: ReaderSettings,
        clock: Clock,
        timeout: float = OBSERVER_TIMEOUT_SECONDS,
        known_schedules: Callable[[], Sequence[ScheduleFacts]] = list,
        report: ReportUnreadable | None = None,
    ) -> None:
        self.servers = redis_servers(settings, timeout)
        self.client = self.servers["queues"]
        store_client = self.servers.get("data", self.client)
        self.store: Store = RedisStore(store_client, report)
        self.queues = QueueReader(self.client, settings.heartbeat_timeout_seconds, clock)
        self.checker = HealthChecker(
            self.client,
            store_client,
            self.store,
            self.queues.read_all,
            clock,
            idle_tiers=settings.idle_tiers,
            accepted_problems=settings.accepted_redis_problems,
            known_schedules=known_schedules,
        )


def health_checker(
    settings: ReaderSettings, *, clock: Clock | None = None, report: ReportUnreadable | None = None
) -> HealthChecker:
    """Build a health checker, which connects when it makes its first report.

    Args:
        settings: Redis URLs and check settings.
        clock: Source of time; the system clock by default.
        report: Receives each stored record that cannot be read. By default, it is logged.
    """
    return RedisReaders(settings, clock or SystemClock(), report=report).checker
