"""Builds a tier's process: settings, logs, metrics, providers, broker and store, in this order."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, overload

import dramatiq

from financehub_shared.broker.redis_broker import FinanceHubBroker
from financehub_shared.core.clock import Clock, SystemClock
from financehub_shared.core.errors import ConfigError
from financehub_shared.core.settings import Settings, exit_on_config_error, load_settings
from financehub_shared.logging import configure_logging
from financehub_shared.market.protocols import Store
from financehub_shared.market.redis_store import RedisStore
from financehub_shared.metrics import Metrics
from financehub_shared.redis.client import connect
from financehub_shared.redis.server_clock import ServerClock
from financehub_shared.redis.startup import refuse_wrong_servers
from financehub_shared.worker.build import build_broker
from financehub_shared.worker.garbage import limit_collections
from financehub_shared.worker.middleware.process import AsyncCloseable
from financehub_shared.worker.observers import build_observers

P = TypeVar("P", bound=AsyncCloseable | None)
C = TypeVar("C", bound=AsyncCloseable)


@dataclass(frozen=True, slots=True)
class TierProcess(Generic[P]):
    """The components of a worker process that its actors need."""

    settings: Settings
    clock: Clock
    metrics: Metrics
    providers: P
    store: Store
    broker: FinanceHubBroker


@overload
def start_tier(tier: str) -> TierProcess[None]: ...
@overload
def start_tier(tier: str, build_providers: Callable[[Settings, Clock, Metrics], C]) -> TierProcess[C]: ...
def start_tier(
    tier: str, build_providers: Callable[[Settings, Clock, Metrics], AsyncCloseable] | None = None
) -> TierProcess[Any]:
    """Read the settings and build the process, whose broker becomes dramatiq's global one and connects on first use.

    An invalid setting makes the process print one line and exit with code 2.

    Args:
        tier: One of `catalog.Tier`, or the name of a tier that the user adds.
        build_providers: Builds the providers (`providers.build.tier_providers`), for a tier that calls upstreams.
    """
    try:
        settings = load_settings()
        configure_logging(settings, tier)
        refuse_wrong_servers((settings.broker_url, settings.store_url))
        metrics = Metrics(tier, settings.release)
        clock = ServerClock(SystemClock())
        providers = build_providers(settings, clock, metrics) if build_providers else None
        observers = build_observers(settings, tier, metrics, clock=clock)
        broker = build_broker(settings, tier=tier, observers=observers, providers=providers, clock=clock)
    except ConfigError as error:
        exit_on_config_error(error)
    dramatiq.set_broker(broker)
    store = RedisStore(connect(settings.store_url), history_days=settings.history_retention_days)
    limit_collections()
    return TierProcess(settings, clock, metrics, providers, store, broker)
