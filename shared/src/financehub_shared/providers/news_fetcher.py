"""News of all providers at once: every source counts, none replaces another."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace

import structlog

from financehub_shared.core.errors import MalformedError, ProviderError
from financehub_shared.core.models import Asset, NewsItem, Quarantined
from financehub_shared.market.news_links import AssetLinker
from financehub_shared.providers.ports import NewsBatch, NewsProvider

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class NewsReport:
    """What a fetch of news came to.

    Args:
        items: articles, linked to the assets they name; the store drops those it knows.
        failed: source → why it gave nothing, or nothing new for long.
        unchanged: sources that answered 304.
        quarantined: articles that cannot be stored.
        delivered: provider → how many of `items`.
        sources: how many sources were asked.
        retry_after: seconds until the first provider that named a time can be asked again.
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
        """Whether any source was read or said 'unchanged'."""
        return bool(self.items or self.unchanged) or (self.sources > 0 and not self.failed)

    async def stored(self) -> None:
        """Say that `items` are stored: from now on an unchanged source may answer 304."""
        for remember in self.on_stored:
            await remember()


async def fetch_news(
    providers: Sequence[NewsProvider],
    assets: Sequence[Asset],
    sources: Sequence[str] | None,
    deadline: float,
) -> NewsReport:
    """Read all sources and link what they say to the assets it names.

    Args:
        providers: all of them are asked, at once.
        assets: what articles can be linked to.
        sources: names or parts of names (`coindesk`, `gdelt`); None: all.
        deadline: monotonic seconds by which it ends.

    Returns:
        A report; await its `stored()` once its items are stored.
    """
    report = NewsReport()
    known = [name for provider in providers for name in provider.sources()]
    report.sources = sum(sources is None or any(part in name for part in sources) for name in known)
    linker = AssetLinker(assets)
    answers = await asyncio.gather(*(_ask(provider, sources, deadline) for provider in providers))
    for provider, batch in zip(providers, answers, strict=True):
        for item in batch.items:
            report.items.append(replace(item, assets=linker.link(item.title)))
        if batch.items:
            report.delivered[provider.name] = len(batch.items)
        report.failed.update(batch.failed)
        report.unchanged += batch.unchanged
        report.quarantined += batch.quarantined
        report.on_stored += batch.on_stored
    waits = [error.retry_after for error in report.failed.values() if error.retry_after is not None]
    report.retry_after = min(waits, default=None)
    for source, error in report.failed.items():
        log.warning("news_source_failed", source=source, reason=error.kind, detail=error.detail)
    return report


async def _ask(provider: NewsProvider, sources: Sequence[str] | None, deadline: float) -> NewsBatch:
    try:
        return await provider.fetch_news(sources, deadline)
    except ProviderError as error:
        return NewsBatch(failed={provider.name: error})
    except Exception as error:  # boundary: a bug in one adapter must not take the others' answers away
        log.exception("provider_bug", provider=provider.name)
        failure = MalformedError(provider.name, f"the adapter failed: {type(error).__name__}")
        return NewsBatch(failed={provider.name: failure})
