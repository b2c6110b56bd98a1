"""What concerns the worker process rather than a message."""

import dramatiq
import structlog
from dramatiq import Worker
from dramatiq.errors import BrokerConnectionError
from dramatiq.worker import QUEUE_PREFETCH

from financehub_shared.broker.redis_broker import FinanceHubBroker

log = structlog.get_logger(__name__)


class WorkerTuning(dramatiq.Middleware):
    """Sets what dramatiq's command line has no flag for.

    Args:
        poll_ms: longest wait between two polls of an idle queue.
    """

    def __init__(self, poll_ms: int) -> None:
        self._poll_ms = poll_ms

    def before_worker_boot(self, broker: dramatiq.Broker, worker: Worker) -> None:
        """Hold no more messages than there are threads: what waits in one pod is hidden from idle ones."""
        worker.queue_prefetch = QUEUE_PREFETCH or worker.worker_threads
        worker.worker_timeout = self._poll_ms


class HandBack(dramatiq.Middleware):
    """On shutdown, takes no new work, and gives back what did not end in time rather than leave it to the janitor."""

    def before_worker_shutdown(self, broker: FinanceHubBroker, worker: Worker) -> None:  # type: ignore[override]
        """Consumers stay for their heartbeats; without this they would go on fetching through the drain."""
        broker.draining = True

    def after_worker_shutdown(self, broker: FinanceHubBroker, worker: Worker) -> None:  # type: ignore[override]
        """The process ends next, and with it the tasks that are still running."""
        for queue_name in worker.consumers:
            try:
                broker.give_back(queue_name, everything=True)
            except BrokerConnectionError as error:
                log.warning("hand_back_left_to_janitor", queue=queue_name, error=str(error))
