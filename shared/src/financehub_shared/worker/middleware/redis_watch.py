"""Middleware that watches Redis in a worker process, and gives dramatiq the time of Redis."""

import dramatiq.worker
from dramatiq import Broker, Middleware, Worker

from financehub_shared.core.clock import Clock
from financehub_shared.redis.watch import RedisWatch


class RedisWatchMiddleware(Middleware):
    """Runs the watch while a dramatiq worker runs. The clock is right before the first message is fetched.

    Args:
        watch: The watch.
    """

    def __init__(self, watch: RedisWatch) -> None:
        self._watch = watch

    def before_worker_boot(self, broker: Broker, worker: Worker) -> None:
        self._watch.start()

    def after_worker_shutdown(self, broker: Broker, worker: Worker) -> None:
        self._watch.stop()


class ServerTime(Middleware):
    """Makes dramatiq compare the time of delayed messages with the time of Redis instead of this machine's.

    Dramatiq has no hook for it. Its module `worker` reads the time with a function that this class replaces. It relies
    on dramatiq 2.2.1; tests/integration/fleet/test_clock_skew.py fails if that changes.

    Args:
        clock: The clock of the process, which shows the time of Redis.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def before_worker_boot(self, broker: Broker, worker: Worker) -> None:
        dramatiq.worker.current_millis = self._current_millis  # type: ignore[attr-defined]

    def _current_millis(self) -> int:
        return round(self._clock.now() * 1000)
