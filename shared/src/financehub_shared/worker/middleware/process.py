"""Middleware that acts on the worker process rather than on a message.

A worker's shutdown interrupts its attempts in one of two ways, and both requeue the message unchanged:

- Dramatiq's `ShutdownNotifications` raises `Shutdown` in the thread of a run whose options set `notify_shutdown`.
  `Retries` marks the delivery as interrupted, the attempt is recorded with the outcome `queued`, and its ack requeues
  the message.
- A task that is still running when the drain ends is not notified. `RequeueOnShutdown` requeues its message, and the
  process exits. The run record stays `running` until another worker receives the message.
"""

import asyncio
from typing import Protocol

import dramatiq
from dramatiq import Worker
from dramatiq.asyncio import get_event_loop_thread
from dramatiq.common import q_name
from dramatiq.errors import BrokerConnectionError
from dramatiq.worker import QUEUE_PREFETCH, WORKER_TIMEOUT, ConsumerThread

from financehub_shared.broker.encoding import require_json_encoder
from financehub_shared.broker.redis_broker import FinanceHubBroker
from financehub_shared.core.errors import ConfigError
from financehub_shared.core.exception_text import exception_message
from financehub_shared.core.log import get_logger
from financehub_shared.core.settings import exit_on_config_error
from financehub_shared.worker.expected_results import silence_expected_results
from financehub_shared.worker.work_queue import WorkQueue

log = get_logger(__name__)

#: Dramatiq's default of its environment variable `dramatiq_worker_timeout`.
_STOCK_WORKER_TIMEOUT_MS = 1_000
#: Closing the providers takes local work and one call to Redis, and a pod's grace period does not allow more time.
PROVIDER_SHUTDOWN_SECONDS = 3.0


class AsyncCloseable(Protocol):
    """An object that is closed in the event loop."""

    async def aclose(self) -> None: ...


class WorkerTuning(dramatiq.Middleware):
    """Prepares the process for a worker, and sets values for which dramatiq's command line has no flag.

    Values that a program passes to its `Worker` or sets in dramatiq's environment variables have precedence.

    Args:
        poll_ms: Longest wait between two polls of an idle queue, in milliseconds.
    """

    def __init__(self, poll_ms: int) -> None:
        self._poll_ms = poll_ms

    def before_worker_boot(self, broker: dramatiq.Broker, worker: Worker) -> None:
        """Limit the prefetch to the number of threads, because other pods cannot run messages that wait in this one."""
        try:
            require_json_encoder()
        except ConfigError as error:
            exit_on_config_error(error)
        if not QUEUE_PREFETCH and worker.queue_prefetch == 2 * worker.worker_threads:  # dramatiq's default
            worker.queue_prefetch = worker.worker_threads
        if worker.worker_timeout == WORKER_TIMEOUT == _STOCK_WORKER_TIMEOUT_MS:
            worker.worker_timeout = self._poll_ms
        if worker.work_queue.empty():
            worker.work_queue = WorkQueue()  # type: ignore[assignment]
        silence_expected_results(broker)

    def after_consumer_thread_boot(self, broker: FinanceHubBroker, thread: ConsumerThread) -> None:  # type: ignore[override]
        """Let the worker threads fetch the next message with each acknowledgment.

        This relies on dramatiq 2.2.1, where `handle_message` puts a message into the queue of the worker threads.
        """
        if thread.queue_name == q_name(thread.queue_name):
            broker.deliver_with(thread.queue_name, thread.handle_message, lambda: thread.paused)


class ProviderShutdown(dramatiq.Middleware):
    """Closes the providers when the worker stops.

    Upstream calls that wait for a thread are dropped. Otherwise the process would keep running until the last of them
    was made, long after their messages were requeued.

    Args:
        providers: Providers of this process.
    """

    def __init__(self, providers: AsyncCloseable) -> None:
        self._providers = providers

    def after_worker_shutdown(self, broker: dramatiq.Broker, worker: Worker) -> None:
        """Close the providers, or leave that to the process's exit if it takes too long."""
        loop = get_event_loop_thread()
        if loop is None:
            return
        try:
            loop.run_coroutine(asyncio.wait_for(self._providers.aclose(), PROVIDER_SHUTDOWN_SECONDS))
        except TimeoutError:
            log.warning("provider_shutdown_failed", limit_seconds=PROVIDER_SHUTDOWN_SECONDS)


class RequeueOnShutdown(dramatiq.Middleware):
    """Stops fetching at shutdown, and requeues unfinished messages instead of leaving them to the janitor."""

    def before_worker_boot(self, broker: FinanceHubBroker, worker: Worker) -> None:  # type: ignore[override]
        """Fetch again, because a test or another program may run one worker after the other on the same broker."""
        broker.draining = False

    def before_worker_shutdown(self, broker: FinanceHubBroker, worker: Worker) -> None:  # type: ignore[override]
        """Stop fetching. The consumers stay for their heartbeats and would otherwise fetch throughout the drain."""
        broker.draining = True

    def after_worker_shutdown(self, broker: FinanceHubBroker, worker: Worker) -> None:  # type: ignore[override]
        """Requeue the messages of tasks that are still running, because the process exits next and ends these tasks."""
        for queue_name in worker.consumers:
            try:
                broker.requeue_unfinished(queue_name, everything=True)
            except BrokerConnectionError as error:
                consequence = "the janitor reclaims the messages"
                log.warning(
                    "requeue_on_shutdown_failed",
                    queue=queue_name,
                    error=exception_message(error),
                    consequence=consequence,
                )
