"""The janitor's rounds: what the scheduler does for queues whose workers died."""

import redis
import structlog

from financehub_shared.broker.janitor import Janitor
from financehub_shared.metrics import Metrics

log = structlog.get_logger(__name__)


class JanitorRounds:
    """Gives back what dead workers held. Blocks: call it in a thread.

    Args:
        janitor: of the broker.
        metrics: where it is counted.
    """

    def __init__(self, janitor: Janitor, metrics: Metrics) -> None:
        self._janitor = janitor
        self._metrics = metrics

    def step(self) -> None:
        """One round; what fails is made up for by the next."""
        try:
            reclaimed = self._janitor.run()
        except redis.RedisError as error:
            log.warning("janitor_round_failed", error=str(error))
            return
        for queue, count in reclaimed.items():
            self._metrics.queue_reclaimed.labels(queue).inc(count)
