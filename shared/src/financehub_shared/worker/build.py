"""Builds the broker of a process."""

import redis

from financehub_shared.broker.redis_broker import FinanceHubBroker
from financehub_shared.core.clock import SystemClock
from financehub_shared.core.settings import Settings
from financehub_shared.redis.client import connect
from financehub_shared.redis.server_clock import ServerClock
from financehub_shared.worker.middleware.process import AsyncCloseable
from financehub_shared.worker.pipeline import Observers, build_middleware


def build_broker(
    settings: Settings,
    *,
    tier: str = "",
    observers: Observers | None = None,
    providers: AsyncCloseable | None = None,
    clock: ServerClock | None = None,
    client: "redis.Redis | None" = None,
) -> FinanceHubBroker:
    """Build the broker, which connects on first use. A worker passes it to `dramatiq.set_broker`.

    Args:
        settings: Limits, retries, retention and the URL of the queue Redis.
        tier: Tier of the worker (`high`, … or one that the user adds); empty for a process that only enqueues.
        observers: Observers of a worker, from `observers.build_observers`.
        providers: Providers that the worker closes when it stops.
        clock: Clock for timestamps and ages, which shows the time of Redis.
        client: Client to use instead of one for `settings.broker_url`. It must be built with `retries=0`.
    """
    clock = clock or ServerClock(SystemClock())
    middleware = build_middleware(settings, clock, tier=tier, observers=observers, providers=providers)
    # `retries=0`: a script must not run twice without the broker's knowledge.
    return FinanceHubBroker(
        client=client or connect(settings.broker_url, retries=0),
        middleware=middleware,
        max_message_bytes=settings.max_message_bytes,
        clock=clock,
    )
