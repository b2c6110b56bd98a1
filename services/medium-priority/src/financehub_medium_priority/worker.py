"""Composition root of the medium-priority tier: `dramatiq financehub_medium_priority.worker -p 1 -t 2`."""

from financehub_medium_priority.news import refresh_news
from financehub_shared.core.catalog import Tier
from financehub_shared.core.task_summary import TaskSummary
from financehub_shared.providers.build import tier_providers
from financehub_shared.worker.actors import declare
from financehub_shared.worker.tier import start_tier

process = start_tier(Tier.MEDIUM, tier_providers)
broker = process.broker
providers = process.providers


async def fetch_news(sources: list[str] | None = None) -> TaskSummary:
    """Read all news sources, or those whose names are given."""
    return await refresh_news(
        sources,
        store=process.store,
        providers=providers.news,
        clock=process.clock,
        retention_days=process.settings.news_retention_days,
        counts=process.metrics,
        reach=providers.reach,
    )


declare(broker, "fetch_news_task", fetch_news)


async def calculate_indicators(symbols: list[str] | None = None) -> TaskSummary:
    """Update daily bars and indicators of all active assets, or of those whose symbols are given."""
    # The import is here because numpy and the engine take 40 MB, which a worker that only reads news does not need.
    from financehub_medium_priority.indicators import task

    settings = process.settings
    return await task.calculate_indicators(
        symbols,
        store=process.store,
        bars=providers.bars,
        engine=settings.indicator_engine,
        series=settings.indicator_series,
        clock=process.clock,
        history_days=settings.bar_history_days,
        counts=process.metrics,
        reach=providers.reach,
    )


declare(broker, "calculate_indicators_task", calculate_indicators)
