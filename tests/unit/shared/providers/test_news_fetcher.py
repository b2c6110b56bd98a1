"""Fetches of news from all providers in parallel."""

from collections.abc import Sequence

import pytest

from financehub_shared.core.errors import RateLimitedError, UpstreamError
from financehub_shared.core.kinds import AssetType
from financehub_shared.core.models import Asset, NewsItem
from financehub_shared.market.links.linker import AssetLinker
from financehub_shared.providers.news_fetcher import fetch_news
from financehub_shared.providers.protocols import NewsBatch

BTC = Asset("BTC-USD", AssetType.CRYPTO, "Bitcoin")


class Scripted:
    """A news provider with one source, which has the provider's name."""

    def __init__(self, name: str, error: Exception | None = None) -> None:
        self.name = name
        self.error = error
        self.remembered = 0

    def sources(self) -> list[str]:
        return [f"{self.name}.test"]

    async def fetch_news(self, sources: Sequence[str] | None, deadline: float) -> NewsBatch:
        if self.error:
            raise self.error

        async def remember() -> None:
            self.remembered += 1

        item = NewsItem("1", "Bitcoin rises", "https://a.test/1", "A", 1.0, 2.0, self.name)
        return NewsBatch([item], on_stored=(remember,))


async def fetch(*providers: Scripted):
    return await fetch_news(providers, [BTC], None, 10.0)


async def test_fetch_news_calls_every_provider():
    """A response from one provider does not prevent calls to the others, and all articles are linked."""
    report = await fetch(Scripted("a"), Scripted("b"))
    assert report.delivered == {"a": 1, "b": 1}
    assert {item.assets for item in report.items} == {("BTC-USD",)}
    assert (report.answered, report.sources) == (True, 2)


async def test_fetch_news_with_a_failed_provider_keeps_the_others():
    """Provider errors and bugs are both reported by provider."""
    report = await fetch(Scripted("a"), Scripted("b", RateLimitedError("b", "429", 5)), Scripted("c", KeyError("x")))
    assert {name: error.kind for name, error in report.failed.items()} == {"b": "rate-limited", "c": "malformed"}
    assert (len(report.items), report.retry_after) == (1, 5)


async def test_fetch_news_with_all_failed_has_no_answer():
    """The caller can distinguish total failure from the absence of news."""
    assert not (await fetch(Scripted("a", UpstreamError("a", "x")))).answered


async def test_fetch_news_with_a_title_that_breaks_the_linker_keeps_all_items(monkeypatch: pytest.MonkeyPatch):
    """A bug in the linker costs the links of one item, not the items of all sources."""
    link = AssetLinker.link

    def fail_once(linker: AssetLinker, title: str) -> tuple[str, ...]:
        monkeypatch.setattr(AssetLinker, "link", link)
        raise IndexError(title)

    monkeypatch.setattr(AssetLinker, "link", fail_once)
    report = await fetch(Scripted("a"), Scripted("b"))
    assert [item.assets for item in report.items] == [(), ("BTC-USD",)]


async def test_fetch_news_keeps_validators_after_stored():
    """Only `stored()` notifies the providers that their articles are stored."""
    provider = Scripted("a")
    report = await fetch(provider)
    assert provider.remembered == 0
    await report.stored()
    assert provider.remembered == 1
