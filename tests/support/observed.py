"""A worker with all observers, in threads of this process or as a process started by the dramatiq command.

The command `dramatiq support.observed` uses this module as a composition root, as the tiers use theirs. If the variable
OBSERVED_WORKER is set, the import reads the settings from the environment and builds the broker.
"""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import dramatiq
import redis

from financehub_shared.core.clock import Clock
from financehub_shared.core.settings import ConfigError, Settings, exit_on_config_error, load_settings
from financehub_shared.core.task_summary import TaskSummary
from financehub_shared.logging import configure_logging
from financehub_shared.metrics import Metrics
from financehub_shared.monitor import TaskMonitor
from financehub_shared.redis.client import connect
from financehub_shared.redis.server_clock import ServerClock
from financehub_shared.worker.build import build_broker
from financehub_shared.worker.middleware.health_server import HealthServerMiddleware
from financehub_shared.worker.observers import build_observers
from support.hostile_exceptions import HOSTILE
from support.waiting import eventually


class ObservedWorker:
    """A worker process with all observers, and a monitor on the same Redis.

    Args:
        url: URL of Redis.
        clock: Clock of the observers.
        environ: Additional settings, as environment variables.
    """

    def __init__(self, url: str, *, clock: Clock | None = None, **environ: str) -> None:
        fixed = {"REDIS_URL": url, "FINANCEHUB_HTTP_PORT": "0", "FINANCEHUB_HTTP_HOST": "127.0.0.1"}
        quick = {"FINANCEHUB_RETRY_MIN_SECONDS": "0.01", "FINANCEHUB_RETRY_MAX_SECONDS": "0.02"}
        self.settings = load_settings(fixed | quick | environ)
        self.metrics = Metrics("high")
        self.observers = build_observers(
            self.settings, "high", self.metrics, clock=ServerClock(clock) if clock else None
        )
        self.broker = build_broker(self.settings, tier="high", observers=self.observers)
        self.client = redis.Redis.from_url(url)
        self.monitor = TaskMonitor(self.client)

    @property
    def server(self) -> Any:
        """The process's HTTP server."""
        middleware = self.observers.health_server
        assert isinstance(middleware, HealthServerMiddleware)
        return middleware.server

    def actor(self, fn: Any, **options: Any) -> "dramatiq.Actor[..., Any]":
        """Declare an actor with the name of the function, on queue `high`."""
        return dramatiq.actor(fn, broker=self.broker, queue_name="high", **options)

    @contextmanager
    def working(self, threads: int = 2) -> Iterator[dramatiq.Worker]:
        """Return a context manager that runs a worker."""
        worker = dramatiq.Worker(self.broker, worker_threads=threads, worker_timeout=50)
        worker.start()
        try:
            yield worker
        finally:
            worker.stop(timeout=10_000)
            self.server.stop()

    def drain(self, queue: str = "high") -> None:
        """Run a worker until the queue is empty, including delayed messages, and all runs are recorded."""
        with self.working():
            eventually(lambda: self._empty(queue))

    def _empty(self, queue: str) -> bool:
        # Both are read in one transaction, because a message that moves between them might be missed otherwise.
        with self.client.pipeline() as pipeline:
            return not any(pipeline.hlen(f"dramatiq:{queue}.msgs").hlen(f"dramatiq:{queue}.DQ.msgs").execute())


def _settings() -> Settings:
    try:
        return load_settings()
    except ConfigError as error:
        exit_on_config_error(error)


if os.environ.get("OBSERVED_WORKER"):
    settings = _settings()
    configure_logging(settings, "high")
    metrics = Metrics("high")
    broker = build_broker(settings, tier="high", observers=build_observers(settings, "high", metrics))
    dramatiq.set_broker(broker)
    client = connect(settings.broker_url)

    @dramatiq.actor(queue_name="high")
    def quick() -> TaskSummary:
        """Return immediately."""
        return TaskSummary(requested=1, stored=1)

    @dramatiq.actor(queue_name="high")
    def wait() -> None:
        """Run until the key `go` exists."""
        client.rpush("began", os.getpid())
        while not client.exists("go"):
            time.sleep(0.02)

    @dramatiq.actor(queue_name="high", max_retries=1)
    def hostile(name: str) -> None:
        """Raise one of `support.hostile_exceptions.HOSTILE`."""
        raise HOSTILE[name]()  # noqa: RSE102 — it is a function, not a class

    @dramatiq.actor(queue_name="high", max_retries=0)
    def fail() -> None:
        """Raise an error whose message contains a secret."""
        raise RuntimeError(f"cannot reach {settings.broker_url} with {os.environ.get('FINANCEHUB_FINNHUB_API_KEY')}")
