"""Runs the janitor of the queues as a periodic step of the scheduler."""

import redis
import structlog

from financehub_shared.broker.janitor import Janitor
from financehub_shared.metrics import Metrics

log = structlog.get_logger(__name__)


class PeriodicJanitor:
    """Reclaims the messages of dead workers. It blocks, so call it in a thread.

    Args:
        janitor: The janitor of the broker.
        metrics: Counts reclaimed messages.
    """

    def __init__(self, janitor: Janitor, metrics: Metrics) -> None:
        self._janitor = janitor
        self._metrics = metrics

    def step(self) -> None:
        """Run the janitor once. If Redis is unavailable, the next step does the work."""
        try:
            reclaimed = self._janitor.run()
        except redis.RedisError as error:
            log.warning("janitor_round_failed", error=str(error))
            return
        for queue, count in reclaimed.items():
            self._metrics.queue_reclaimed.labels(queue).inc(count)
