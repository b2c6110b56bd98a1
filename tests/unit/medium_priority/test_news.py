"""Tests of the news task with an in-memory store and a provider with a fixed response."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from structlog.testing import capture_logs

from financehub_medium_priority.news import refresh_news
from financehub_shared.core.clock import ManualClock
from financehub_shared.core.durations import DAY_SECONDS
from financehub_shared.core.errors import (
    InvalidArgumentsError,
    ProviderTimeoutError,
    StoreUnavailableError,
    TaskFailedError,
)
from financehub_shared.core.kinds import AssetType
from financehub_shared.core.models import Asset, NewsItem
from financehub_shared.metrics.process_metrics import Metrics
from financehub_shared.providers.protocols import NewsBatch
from support.memory_store import MemoryStore

NOW = ManualClock().now()


def article(title: str, url: str) -> NewsItem:
    """Return a news item that was published a minute ago."""
    return NewsItem(url, title, url, "CoinDesk", NOW - 60, NOW, "rss")


class FixedFeed:
    """A provider with one source and a fixed response. It counts the confirmed responses."""

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
    """A store with one coin and one stock."""
    store = MemoryStore()
    store.put_assets([Asset("BTC-USD", AssetType.CRYPTO, "Bitcoin"), Asset("AAPL", AssetType.STOCK, "Apple Inc.")])
    return store


async def test_news_task_stores_a_new_article_once_with_its_assets(store: MemoryStore) -> None:
    """A new article is stored with the assets that it names. The next run does not store it again."""
    feed = FixedFeed(NewsBatch([article("Bitcoin climbs as Apple slips", "https://x/1")]))
    first = await refresh_news(None, store=store, providers=[feed], clock=ManualClock())
    second = await refresh_news(None, store=store, providers=[feed], clock=ManualClock())
    assert (first.details["new"], second.details["new"], second.details["read"]) == (1, 0, 1)
    assert [item.assets for item in store.news()] == [("AAPL", "BTC-USD")]


async def test_news_task_counts_dropped_items_by_reason(store: MemoryStore) -> None:
    """N5, N14: `read` is `new` plus `dropped`, and summary, metric and log have the reasons with an example of each."""
    story, metrics = "Regulator opens probe of Acme battery fires", Metrics("medium")
    items = [
        article(story, "https://x/1"),
        article("Tea is hot", "https://x/1"),
        replace(article("Coffee is hot", "https://x/2"), guid="rss 1"),
        replace(article("Coffee is cold", "https://x/3"), guid="rss 1"),
        article(f"UPDATE 1-{story}", "https://x/4"),
        article(story.replace("opens", "is opening a"), "https://x/5"),
        replace(article("Fed ends bond purchases", "https://x/6"), published_at=NOW - 31 * DAY_SECONDS),
    ]
    with capture_logs() as logs:
        summary = await refresh_news(
            None,
            store=store,
            providers=[FixedFeed(NewsBatch(items))],
            clock=ManualClock(),
            retention_days=30,
            counts=metrics,
        )
    reasons = {"known-guid", "known-link", "near-equal-title", "same-title", "too-old"}
    assert summary.details["dropped"] == dict.fromkeys(sorted(reasons), 1)
    assert summary.details["read"] == summary.details["new"] + sum(summary.details["dropped"].values()) == 7
    examples = {event["reason"]: event for event in logs if event["event"] == "news_dropped"}
    assert examples.keys() == reasons
    assert {event["log_level"] for event in examples.values()} == {"debug"}
    assert (examples["near-equal-title"]["url"], examples["near-equal-title"]["known"]) == (
        "https://x/5",
        "https://x/1",
    )
    body = metrics.expose("")[1].decode()
    assert 'financehub_data_records_dropped_total{component="medium",dataset="news",reason="too-old"' in body


async def test_news_task_with_unchanged_sources_succeeds(store: MemoryStore) -> None:
    """A source that responds with 304 counts as fresh. The task succeeds and stores nothing."""
    feed = FixedFeed(NewsBatch(unchanged=["rss:coindesk"]))
    summary = await refresh_news(None, store=store, providers=[feed], clock=ManualClock())
    assert summary.details["unchanged"] == 1
    assert ("news", "rss") in store.last_success()


async def test_news_task_with_all_sources_down_raises_their_reasons(store: MemoryStore) -> None:
    """If all sources fail, the task raises with their reasons and records no success."""
    feed = FixedFeed(NewsBatch(failed={"rss:coindesk": ProviderTimeoutError("rss", "no answer", retry_after=9)}))
    with pytest.raises(TaskFailedError, match="rss:coindesk: timeout") as caught:
        await refresh_news(None, store=store, providers=[feed], clock=ManualClock())
    assert caught.value.retry_after == 9
    assert store.last_success() == {}


async def test_news_task_with_an_unknown_source_lists_the_known_ones(store: MemoryStore) -> None:
    """An unknown source raises an argument error that lists the known sources."""
    with pytest.raises(InvalidArgumentsError, match="the sources are: rss:coindesk") as caught:
        await refresh_news(["reuters"], store=store, providers=[FixedFeed(NewsBatch())], clock=ManualClock())
    assert caught.value.field == "sources.0"


class FullStore(MemoryStore):
    """A store whose Redis has run out of memory."""

    def put_news(self, items: object, **options: object) -> int:
        raise StoreUnavailableError("OOM command not allowed")


async def test_news_task_with_a_failing_store_does_not_confirm_the_response() -> None:
    """If the store fails, the response is not confirmed, so that the next request does not get a 304."""
    feed = FixedFeed(NewsBatch([article("Bitcoin climbs", "https://x/1")]))
    with pytest.raises(StoreUnavailableError):
        await refresh_news(None, store=FullStore(), providers=[feed], clock=ManualClock())
    assert feed.confirmed == 0
