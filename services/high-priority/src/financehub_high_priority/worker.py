"""Composition root of the high-priority tier: `dramatiq financehub_high_priority.worker -p 1 -t 4`."""

from financehub_high_priority.quotes import refresh_quotes
from financehub_shared.core.catalog import Tier
from financehub_shared.core.task_summary import TaskSummary
from financehub_shared.providers.build import tier_providers
from financehub_shared.worker.actors import declare
from financehub_shared.worker.tier import start_tier

process = start_tier(Tier.HIGH, tier_providers)
broker = process.broker
providers = process.providers


def declare_fetch(task: str) -> None:
    """Declare one of the two price tasks; the catalog defines which assets it covers."""

    async def fetch(symbols: list[str] | None = None) -> TaskSummary:
        return await refresh_quotes(
            task,
            symbols,
            store=process.store,
            provider_orders=providers.quotes,
            clock=process.clock,
            counts=process.metrics,
            reach=providers.reach,
        )

    declare(broker, task, fetch)


declare_fetch("fetch_crypto_prices_task")
declare_fetch("fetch_stock_prices_task")
