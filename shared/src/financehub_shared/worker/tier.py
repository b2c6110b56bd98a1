"""What the composition roots of the tiers have in common: settings, logs, metrics, Redis, broker, in this order."""

from dataclasses import dataclass

import dramatiq

from financehub_shared.broker import FinanceHubBroker
from financehub_shared.core.clock import Clock, SystemClock
from financehub_shared.core.errors import ConfigError
from financehub_shared.core.settings import Settings, exit_on_config_error, load_settings
from financehub_shared.logging import configure_logging
from financehub_shared.market.port import Store
from financehub_shared.market.redis_store import RedisStore
from financehub_shared.metrics import Metrics
from financehub_shared.redis.client import connect
from financehub_shared.worker.build import build_broker
from financehub_shared.worker.observers import observers


@dataclass(frozen=True, slots=True)
class TierProcess:
    """The parts of one worker process that its actors are declared with."""

    settings: Settings
    clock: Clock
    metrics: Metrics
    store: Store
    broker: FinanceHubBroker


def start_tier(tier: str) -> TierProcess:
    """Read the settings and build the process around its broker, which becomes dramatiq's; nothing connects yet.

    A wrong setting ends the process with one line and exit code 2.

    Args:
        tier: one of `catalog.Tier`, or the name of a tier of your own.
    """
    try:
        settings = load_settings()
        configure_logging(settings, tier)
        metrics = Metrics(tier, settings.release)
        clock = SystemClock()
        broker = build_broker(
            settings, tier=tier, observers=observers(settings, tier, metrics, clock=clock), clock=clock
        )
    except ConfigError as error:
        exit_on_config_error(error)
    dramatiq.set_broker(broker)
    return TierProcess(settings, clock, metrics, RedisStore(connect(settings.store_url)), broker)
