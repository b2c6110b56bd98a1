"""The two price tasks: fetch the quotes of the selected assets and store those that pass validation."""

import asyncio
from collections.abc import Mapping, Sequence

import structlog

from financehub_shared.core.asset_selection import select_assets, why_nothing_selected
from financehub_shared.core.catalog import CATALOG
from financehub_shared.core.clock import Clock
from financehub_shared.core.kinds import AssetType
from financehub_shared.core.task_summary import TaskSummary
from financehub_shared.market.protocols import Store
from financehub_shared.market.unreadable import Unreadable, reasons_of
from financehub_shared.metrics.data_counts import DISCARD_COUNTS, DataCounts
from financehub_shared.providers.failover import fetch_quotes
from financehub_shared.providers.protocols import QuoteProvider
from financehub_shared.providers.reach import UpstreamReach
from financehub_shared.providers.reasons import task_failure

log = structlog.get_logger(__name__)

#: Share of a task's time limit for upstream calls; the rest is for storing and recording.
UPSTREAM_SHARE = 0.8


async def refresh_quotes(
    task: str,
    symbols: Sequence[str] | None,
    *,
    store: Store,
    provider_orders: Mapping[AssetType, Sequence[QuoteProvider]],
    clock: Clock,
    counts: DataCounts = DISCARD_COUNTS,
    reach: UpstreamReach | None = None,
) -> TaskSummary:
    """Update the quotes of the task's assets.

    Args:
        task: `fetch_crypto_prices_task` or `fetch_stock_prices_task`.
        symbols: Canonical symbols to limit the run to; None selects every active asset of the task's type.
        store: Store of market data.
        provider_orders: Providers per asset type, first choice first.
        clock: Source of time.
        counts: Receives the numbers of stored and quarantined quotes.
        reach: Whether this machine reaches any upstream. By default, it does.

    Raises:
        InvalidArgumentsError: A symbol is unknown, inactive or of another type.
        TaskFailedError: No provider delivered a quote for any of the assets; stored quotes stay.
        StoreUnavailableError: Redis is unavailable.
    """
    spec = CATALOG[task]
    unreadable: Unreadable = {}
    known = await asyncio.to_thread(store.assets, active_only=False, unreadable=unreadable)
    assets = select_assets(task, symbols, known, unreadable)
    reasons = reasons_of(unreadable, symbols)
    if not assets or spec.asset_type is None:
        note = why_nothing_selected(task, known, unreadable)
        if not known:
            log.warning("assets_missing", reason=note)
        return TaskSummary(requested=0, stored=0, details={"note": note}).with_missing(reasons)
    stored = await asyncio.to_thread(store.quotes, [asset.symbol for asset in assets])
    damaged: Unreadable = {}
    disputes = await asyncio.to_thread(store.disputes, unreadable=damaged)
    deadline = clock.monotonic() + spec.time_limit_seconds * UPSTREAM_SHARE
    report = await fetch_quotes(
        provider_orders[spec.asset_type], assets, stored, disputes, deadline, clock, reach=reach
    )
    if changes := {**dict.fromkeys(damaged), **report.disputes}:
        # Disputes are stored before quotes, because a dispute without its quote does no harm.
        await asyncio.to_thread(store.put_disputes, changes)
    if records := [*report.quarantined, *report.absent]:
        await asyncio.to_thread(store.put_quarantined, records)
        counts.count_quarantined(report.quarantined)
    if not report.quotes:
        problem = f"no quote of {len(assets)} {spec.asset_type} assets"
        raise task_failure(problem, report.missing.values(), report.retry_after, reach)
    await asyncio.to_thread(store.put_quotes, report.quotes.values(), replaced=report.replaced)
    dataset = f"quotes:{spec.asset_type}"
    counts.count_stored(dataset, report.delivered)
    for provider in report.delivered:
        await asyncio.to_thread(store.mark_success, dataset, provider, clock.now())
    return report.summary().with_missing(reasons)
