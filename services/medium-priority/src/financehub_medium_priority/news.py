"""The news task: read all sources and store the new news items."""

import asyncio
from collections.abc import Sequence
from math import inf

import structlog

from financehub_shared.core.catalog import CATALOG
from financehub_shared.core.clock import Clock
from financehub_shared.core.durations import DAY_SECONDS
from financehub_shared.core.errors import InvalidArgumentsError
from financehub_shared.core.task_summary import TaskSummary
from financehub_shared.market.dedupe.known_news import DroppedNews
from financehub_shared.market.protocols import Store
from financehub_shared.market.unreadable import Unreadable, reasons_of
from financehub_shared.metrics.data_counts import DISCARD_COUNTS, DataCounts
from financehub_shared.providers.news_fetcher import NewsReport, fetch_news
from financehub_shared.providers.protocols import NewsProvider
from financehub_shared.providers.reach import UpstreamReach
from financehub_shared.providers.reasons import format_reasons, task_failure

log = structlog.get_logger(__name__)

TASK = "fetch_news_task"
#: Share of the task's time limit for upstream calls; the rest is for storing and recording.
UPSTREAM_SHARE = 0.8


async def refresh_news(
    sources: Sequence[str] | None,
    *,
    store: Store,
    providers: Sequence[NewsProvider],
    clock: Clock,
    retention_days: float = inf,
    counts: DataCounts = DISCARD_COUNTS,
    reach: UpstreamReach | None = None,
) -> TaskSummary:
    """Read the sources and store the news items that are not known yet, linked to the assets that they name.

    Args:
        sources: Names or parts of names (`coindesk`, `gdelt`) to limit the run to; None selects all sources.
        store: Store of market data.
        providers: News providers, all of which are called.
        clock: Source of time.
        retention_days: News items that are older than this are not stored, because the cleanup would delete them.
            By default, items of any age are stored.
        counts: Receives the numbers of delivered, quarantined and dropped news items.
        reach: Whether this machine reaches any upstream. By default, it does.

    Raises:
        InvalidArgumentsError: No source matches one of the names.
        TaskFailedError: No source responded; stored news items stay.
        StoreUnavailableError: Redis is unavailable; the next run reads the sources again in full.
    """
    known = [name for provider in providers for name in provider.sources()]
    for index, part in enumerate(sources or ()):
        if not any(part in name for name in known):
            raise InvalidArgumentsError(
                TASK, f"sources.{index}", f"no source matches {part!r}; the sources are: {', '.join(known)}"
            )
    unreadable: Unreadable = {}
    assets = await asyncio.to_thread(store.assets, unreadable=unreadable)
    deadline = clock.monotonic() + CATALOG[TASK].time_limit_seconds * UPSTREAM_SHARE
    report = await fetch_news(providers, assets, sources, deadline, reach=reach)
    if report.quarantined:
        await asyncio.to_thread(store.put_quarantined, report.quarantined)
        counts.count_quarantined(report.quarantined)
    if not report.answered:
        reasons = format_reasons({source: error.reason for source, error in report.failed.items()})
        raise task_failure("no news source answered", [reasons], report.retry_after, reach)
    dropped = DroppedNews()
    oldest = clock.now() - retention_days * DAY_SECONDS
    new = await asyncio.to_thread(store.put_news, report.items, oldest=oldest, dropped=dropped)
    counts.count_stored("news", report.delivered)
    counts.count_dropped("news", dropped.counts)
    for reason, (item, verdict) in dropped.examples.items():
        count = dropped.counts[reason]
        log.debug("news_dropped", reason=reason, count=count, title=item.title, url=item.url, known=verdict.known_id)
    # The news items are now stored, so an unchanged source may respond with 304 from now on.
    await report.stored()
    for provider in providers:
        if provider.name in report.delivered or set(provider.sources()) & set(report.unchanged):
            await asyncio.to_thread(store.mark_success, "news", provider.name, clock.now())
    return _summary(report, new, dropped).with_missing(reasons_of(unreadable, None))


def _summary(report: NewsReport, new: int, dropped: DroppedNews) -> TaskSummary:
    return TaskSummary(
        requested=report.sources,
        stored=report.sources - len(report.failed),
        missing={source: error.reason for source, error in report.failed.items()},
        missing_count=len(report.failed),
        providers=report.delivered,
        details={
            "read": len(report.items),
            "new": new,
            "dropped": dict(sorted(dropped.counts.items())),
            "unchanged": len(report.unchanged),
            "quarantined": len(report.quarantined),
        },
    )
