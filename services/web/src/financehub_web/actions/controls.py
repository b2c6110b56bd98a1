"""The connections with which actions change a fleet. They are created when the first action is executed."""

from functools import cached_property

import dramatiq
import redis

from financehub_shared.core.clock import Clock
from financehub_shared.core.durations import DAY_SECONDS
from financehub_shared.core.settings import Settings
from financehub_shared.health.processes import ProcessInfo, ProcessRegistry
from financehub_shared.logging import Redactor, known_secrets
from financehub_shared.market.redis_store import RedisStore
from financehub_shared.monitor import TaskMonitor
from financehub_shared.redis.client import connect

#: Seconds that a user waits for one reply of Redis.
_TIMEOUT_SECONDS = 5.0
#: Seconds that a page waits for the audit log, which is not what it is about.
_READ_SECONDS = 1.0


class Controls:
    """The clients of one process. Nothing is retried, because an action must not be executed twice.

    Args:
        settings: Settings of the process.
        clock: Clock of the process, which shows the time of Redis.
    """

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self.settings = settings
        self.clock = clock

    @cached_property
    def queues(self) -> "redis.Redis":
        """The client of the queue Redis."""
        return connect(self.settings.broker_url, retries=0, timeout=_TIMEOUT_SECONDS)

    @cached_property
    def audit_log(self) -> "redis.Redis":
        """The client of the queue Redis with which pages read the audit log."""
        return connect(self.settings.broker_url, retries=0, timeout=_READ_SECONDS)

    @cached_property
    def data(self) -> "redis.Redis":
        """The client of the data Redis."""
        return connect(self.settings.store_url, retries=0, timeout=_TIMEOUT_SECONDS)

    @cached_property
    def store(self) -> RedisStore:
        """The market data."""
        return RedisStore(self.data)

    @cached_property
    def monitor(self) -> TaskMonitor:
        """The run records."""
        return TaskMonitor(
            self.queues,
            retention_seconds=self.settings.run_retention_days * DAY_SECONDS,
            redact=Redactor(known_secrets(self.settings)),
        )

    def processes(self) -> list[ProcessInfo]:
        """Return the live processes."""
        return ProcessRegistry(self.queues).live()

    @cached_property
    def broker(self) -> dramatiq.Broker:
        """The broker that enqueues."""
        # Imported here, because a process that is read-only does not need the middleware, which takes 4 MB.
        from financehub_shared.worker.build import build_broker

        return build_broker(self.settings, client=self.queues)
