"""The work of the news task, with the in-memory store and providers that answer as told."""

from collections.abc import Sequence

import pytest

from financehub_medium_priority.news import refresh_news
from financehub_shared.core.clock import ManualClock
from financehub_shared.core.errors import (
    InvalidArgumentsError,
    ProviderTimeoutError,
    StoreUnavailableError,
    TaskFailedError,
)
from financehub_shared.core.models import Asset, AssetType, NewsItem
from financehub_shared.providers.ports import NewsBatch
from support.memory_store import MemoryStore

NOW = ManualClock().now()


def article(title: str, url: str) -> NewsItem:
    """A fresh article."""
    return NewsItem(url, title, url, "CoinDesk", NOW - 60, NOW, "rss")


class Feeds:
    """A provider of one source that answers as told and remembers whether its answer was stored."""

    name = "rss"

    def __init__(self, batch: NewsBatch) -> None:
        self.batch = batch
        self.confirmed = 0

    def sources(self) -> Sequence[str]:
        return ["rss:coindesk"]

    async def fetch_news(self, sources: Sequence[str] | None, deadline: float) -> NewsBatch:
        async def confirm() -> None:
            self.confirmed += 1

        batch = self.batch
        return NewsBatch(batch.items, batch.failed, batch.unchanged, batch.quarantined, [confirm])


@pytest.fixture
def store() -> MemoryStore:
    store = MemoryStore()
    store.put_assets([Asset("BTC-USD", AssetType.CRYPTO, "Bitcoin"), Asset("AAPL", AssetType.STOCK, "Apple Inc.")])
    return store


async def test_new_articles_are_stored_once_and_linked_to_the_assets_they_name(store: MemoryStore) -> None:
    """An article is stored with its assets the first time it is seen, and not again."""
    feeds = Feeds(NewsBatch([article("Bitcoin climbs as Apple slips", "https://x/1")]))
    first = await refresh_news(None, store=store, providers=[feeds], clock=ManualClock())
    second = await refresh_news(None, store=store, providers=[feeds], clock=ManualClock())
    assert (first.details["new"], second.details["new"], second.details["read"]) == (1, 0, 1)
    assert [item.assets for item in store.news()] == [("AAPL", "BTC-USD")]


async def test_unchanged_sources_are_a_success_without_new_articles(store: MemoryStore) -> None:
    """A source that answers 304 is fresh: success, nothing stored, freshness recorded."""
    feeds = Feeds(NewsBatch(unchanged=["rss:coindesk"]))
    summary = await refresh_news(None, store=store, providers=[feeds], clock=ManualClock())
    assert summary.details["unchanged"] == 1
    assert ("news", "rss") in store.last_success()


async def test_when_no_source_answers_the_task_fails_with_their_reasons(store: MemoryStore) -> None:
    """Total failure raises with the reason of every source and marks no success."""
    feeds = Feeds(NewsBatch(failed={"rss:coindesk": ProviderTimeoutError("rss", "no answer", retry_after=9)}))
    with pytest.raises(TaskFailedError, match="rss:coindesk: timeout") as caught:
        await refresh_news(None, store=store, providers=[feeds], clock=ManualClock())
    assert caught.value.retry_after == 9
    assert store.last_success() == {}


async def test_an_unknown_source_is_refused_with_those_there_are(store: MemoryStore) -> None:
    """A name that no source carries is an argument error that lists the sources."""
    with pytest.raises(InvalidArgumentsError, match="the sources are: rss:coindesk") as caught:
        await refresh_news(["reuters"], store=store, providers=[Feeds(NewsBatch())], clock=ManualClock())
    assert caught.value.field == "sources.0"


class RefusingStore(MemoryStore):
    """A store whose Redis is out of memory."""

    def put_news(self, items: object) -> int:
        raise StoreUnavailableError("OOM command not allowed")


async def test_articles_that_could_not_be_stored_are_read_again() -> None:
    """When the store refuses, the source is not told that its answer was kept, so nothing is skipped by a 304."""
    feeds = Feeds(NewsBatch([article("Bitcoin climbs", "https://x/1")]))
    with pytest.raises(StoreUnavailableError):
        await refresh_news(None, store=RefusingStore(), providers=[feeds], clock=ManualClock())
    assert feeds.confirmed == 0
