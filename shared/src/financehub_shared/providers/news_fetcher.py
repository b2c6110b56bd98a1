"""Fetches news from all providers in parallel. All sources are read, so there is no failover."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace

from financehub_shared.core.errors import MalformedError, ProviderError
from financehub_shared.core.log import get_logger
from financehub_shared.core.models import Asset, NewsItem, Quarantined
from financehub_shared.market.links.linker import AssetLinker
from financehub_shared.providers.protocols import NewsBatch, NewsProvider
from financehub_shared.providers.reach import UpstreamReach

log = get_logger(__name__)


@dataclass(slots=True)
class NewsReport:
    """The result of fetching news.

    Args:
        items: News items, linked to the assets in their titles. The store drops news items that it already has.
        failed: Source → error. A source without new news items for weeks has failed too.
        unchanged: Sources that responded with 304.
        quarantined: News items that cannot be stored.
        delivered: Provider → number of news items.
        sources: Number of requested sources.
        retry_after: Shortest pause in seconds that a provider requested before its next call.
        on_stored: Functions to await once `items` are stored; see `stored`.
    """

    items: list[NewsItem] = field(default_factory=list)
    failed: dict[str, ProviderError] = field(default_factory=dict)
    unchanged: list[str] = field(default_factory=list)
    quarantined: list[Quarantined] = field(default_factory=list)
    delivered: dict[str, int] = field(default_factory=dict)
    sources: int = 0
    retry_after: float | None = None
    on_stored: list[Callable[[], Awaitable[None]]] = field(default_factory=list)

    @property
    def answered(self) -> bool:
        """Whether any source delivered news items or responded 'not modified'."""
        return bool(self.items or self.unchanged) or (self.sources > 0 and not self.failed)

    async def stored(self) -> None:
        """Report that `items` are stored, so that an unchanged source may respond with 304 from now on."""
        for callback in self.on_stored:
            await callback()


async def fetch_news(
    providers: Sequence[NewsProvider],
    assets: Sequence[Asset],
    sources: Sequence[str] | None,
    deadline: float,
    *,
    reach: UpstreamReach | None = None,
) -> NewsReport:
    """Read all sources and link their news items to the assets in their titles.

    Args:
        providers: The providers, all of which are called.
        assets: Assets that news items can be linked to.
        sources: Names of sources, or parts of names (`coindesk`, `gdelt`). None for all sources.
        deadline: Monotonic time in seconds by which the fetch must end.
        reach: Whether this machine reaches any upstream. If not, failures of single sources are details.

    Returns:
        A report. Await its `stored()` once its items are stored.
    """
    report = NewsReport()
    known = [name for provider in providers for name in provider.sources()]
    report.sources = sum(sources is None or any(part in name for part in sources) for name in known)
    batches = await asyncio.gather(*(_fetch_batch(provider, sources, deadline) for provider in providers))
    linker = await asyncio.to_thread(AssetLinker, assets)
    for provider, batch in zip(providers, batches, strict=True):
        # not in the event loop, because the 4,000 headlines of a large feed take half a second
        report.items += await asyncio.to_thread(_link, linker, batch.items)
        if batch.items:
            report.delivered[provider.name] = len(batch.items)
        report.failed.update(batch.failed)
        report.unchanged += batch.unchanged
        report.quarantined += batch.quarantined
        report.on_stored += batch.on_stored
    waits = [error.retry_after for error in report.failed.values() if error.retry_after is not None]
    report.retry_after = min(waits, default=None)
    report_failure = log.debug if reach is not None and reach.is_lost else log.warning
    for source, error in report.failed.items():
        report_failure("news_source_failed", source=source, reason=error.kind, detail=error.detail)
    return report


def _link(linker: AssetLinker, items: Sequence[NewsItem]) -> list[NewsItem]:
    return [_linked(linker, item) for item in items]


def _linked(linker: AssetLinker, item: NewsItem) -> NewsItem:
    try:
        return replace(item, assets=linker.link(item.title))
    except Exception:  # a bug in a rule about headlines must not lose the news items of all sources
        log.exception("news_link_failed", title=item.title)
        return item


async def _fetch_batch(provider: NewsProvider, sources: Sequence[str] | None, deadline: float) -> NewsBatch:
    """Return the batch of one provider. If the provider fails, the batch contains the error."""
    try:
        return await provider.fetch_news(sources, deadline)
    except ProviderError as error:
        return NewsBatch(failed={provider.name: error})
    except Exception as error:  # a bug in one provider must not lose the results of the others
        log.exception("provider_code_failed", provider=provider.name)
        failure = MalformedError(provider.name, f"the provider's code failed: {type(error).__name__}")
        return NewsBatch(failed={provider.name: failure})
