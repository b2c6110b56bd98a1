"""The end of a tier's providers, tied to the end of its worker."""

import asyncio

import dramatiq
import structlog
from dramatiq.asyncio import get_event_loop_thread
from dramatiq.middleware import AsyncIO

from financehub_shared.providers.registry import Providers

log = structlog.get_logger(__name__)

#: Closing is local work and one call to Redis; the pod's grace period has no more to give.
LIMIT_SECONDS = 3.0


class CloseProviders(dramatiq.Middleware):
    """Closes the providers when the worker stops.

    Upstream calls that wait for a thread are dropped: the process would otherwise stay until the last of them was made,
    long after their messages were given back.

    Args:
        providers: of this process.
    """

    def __init__(self, providers: Providers) -> None:
        self._providers = providers

    def add_to(self, broker: dramatiq.Broker) -> None:
        """Take the place whose end comes just before that of the event loop, which closing needs."""
        broker.add_middleware(self, after=AsyncIO)

    def after_worker_shutdown(self, broker: dramatiq.Broker, worker: dramatiq.Worker) -> None:
        """Close, or leave it to the end of the process."""
        loop = get_event_loop_thread()
        if loop is None:
            return
        try:
            loop.run_coroutine(asyncio.wait_for(self._providers.aclose(), LIMIT_SECONDS))
        except TimeoutError:
            log.warning("providers_not_closed", limit_seconds=LIMIT_SECONDS)
