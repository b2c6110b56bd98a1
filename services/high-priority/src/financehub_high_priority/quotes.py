"""The work of the two price tasks: fetch the quotes of the chosen assets and store what passes validation."""

import asyncio
from collections.abc import Mapping, Sequence

from financehub_shared.core.asset_selection import select_assets
from financehub_shared.core.catalog import CATALOG
from financehub_shared.core.clock import Clock
from financehub_shared.core.errors import TaskFailedError
from financehub_shared.core.models import AssetType
from financehub_shared.core.task_summary import TaskSummary
from financehub_shared.market.port import Store
from financehub_shared.metrics.data_counts import UNCOUNTED, DataCounts
from financehub_shared.providers.failover import Validate, fetch_quotes
from financehub_shared.providers.ports import QuoteProvider

#: Share of a task's time limit that its upstream calls may take; the rest is for the store and the record.
UPSTREAM_SHARE = 0.8


async def refresh_quotes(
    task: str,
    symbols: Sequence[str] | None,
    *,
    store: Store,
    chains: Mapping[AssetType, Sequence[QuoteProvider]],
    validate: Validate,
    clock: Clock,
    counts: DataCounts = UNCOUNTED,
) -> TaskSummary:
    """Bring the quotes of the task's assets up to date.

    Args:
        task: `fetch_crypto_prices_task` or `fetch_stock_prices_task`.
        symbols: canonical symbols to narrow it to; None: every active asset of the task's type.
        store: where quotes are kept.
        chains: providers in order of preference, per asset type.
        validate: says whether a quote can be stored.
        clock: the time.
        counts: told of what was stored and quarantined.

    Raises:
        InvalidArgumentsError: a symbol is unknown or of another type.
        TaskFailedError: assets were asked for and not one quote could be had; the stored ones stay.
        StoreUnavailableError: Redis is away.
    """
    spec = CATALOG[task]
    known = await asyncio.to_thread(store.assets, active_only=False)
    assets = select_assets(task, symbols, known)
    if not assets or spec.asset_type is None:
        return TaskSummary(asked=0, stored=0)
    previous = await asyncio.to_thread(store.quotes, [asset.symbol for asset in assets])
    deadline = clock.monotonic() + spec.time_limit_seconds * UPSTREAM_SHARE
    report = await fetch_quotes(chains[spec.asset_type], assets, previous, deadline, clock, validate)
    if report.quarantined:
        await asyncio.to_thread(store.put_quarantined, report.quarantined)
        counts.count_quarantined(report.quarantined)
    if not report.quotes:
        reasons = sorted(set(report.missing.values()))[:5]
        raise TaskFailedError(
            f"no quote of {len(assets)} {spec.asset_type} assets: {' | '.join(reasons)}", report.retry_after
        )
    await asyncio.to_thread(store.put_quotes, report.quotes.values())
    dataset = f"quotes:{spec.asset_type}"
    counts.count_stored(dataset, report.delivered)
    for provider in report.delivered:
        await asyncio.to_thread(store.mark_success, dataset, provider, clock.now())
    return report.summary()
