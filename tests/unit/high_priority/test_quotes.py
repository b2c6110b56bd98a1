"""The work of the price tasks, with the in-memory store and providers that answer as told."""

from collections.abc import Sequence
from decimal import Decimal

import pytest

from financehub_high_priority.quotes import refresh_quotes
from financehub_shared.core.clock import ManualClock
from financehub_shared.core.errors import InvalidArgumentsError, ProviderError, ProviderTimeoutError, TaskFailedError
from financehub_shared.core.models import Asset, AssetType, Quarantined, Quote
from financehub_shared.core.task_summary import TaskSummary
from financehub_shared.providers.ports import QuoteBatch
from support.memory_store import MemoryStore

STOCKS = "fetch_stock_prices_task"


class Canned:
    """A provider that knows some symbols, or fails."""

    def __init__(self, name: str, prices: dict[str, str], error: ProviderError | None = None) -> None:
        self.name = name
        self.prices = prices
        self.error = error
        self.asked: list[str] = []

    def serves(self, asset: Asset) -> bool:
        return asset.type in AssetType

    async def fetch_quotes(self, assets: Sequence[Asset], deadline: float) -> QuoteBatch:
        self.asked = [asset.symbol for asset in assets]
        if self.error:
            raise self.error
        return QuoteBatch(
            {s: Quote(s, Decimal(p), "USD", None, 1.0, self.name) for s, p in self.prices.items() if s in self.asked}
        )


def accept_positive(asset: Asset, quote: Quote, previous: Quote | None, now: float) -> Quote | Quarantined:
    """Everything but negative prices."""
    if quote.price > 0:
        return quote
    return Quarantined("quote", asset.symbol, quote.provider, "non-positive: it is", str(quote.price), now)


@pytest.fixture
def store() -> MemoryStore:
    store = MemoryStore()
    store.put_assets(
        [
            Asset("AAPL", AssetType.STOCK),
            Asset("MSFT", AssetType.STOCK),
            Asset("BTC-USD", AssetType.CRYPTO),
        ]
    )
    return store


async def refresh(store: MemoryStore, *providers: Canned, symbols: list[str] | None = None) -> TaskSummary:
    chains = {AssetType.STOCK: providers, AssetType.CRYPTO: providers}
    return await refresh_quotes(
        STOCKS, symbols, store=store, chains=chains, validate=accept_positive, clock=ManualClock()
    )


async def test_stock_prices_never_ask_for_crypto(store: MemoryStore) -> None:
    """The stock task asks for every active stock and for nothing else."""
    provider = Canned("yahoo", {"AAPL": "1", "MSFT": "2"})
    summary = await refresh(store, provider)
    assert provider.asked == ["AAPL", "MSFT"]
    assert (summary.asked, summary.stored) == (2, 2)
    assert set(store.quotes()) == {"AAPL", "MSFT"}


async def test_partial_success_is_success_with_what_is_missing(store: MemoryStore) -> None:
    """One quote of two is a success that names the missing symbol with the reason of every provider."""
    summary = await refresh(store, Canned("yahoo", {"AAPL": "1"}), Canned("finnhub", {}))
    assert summary.stored == 1
    assert set(summary.missing) == {"MSFT"}
    assert "yahoo" in summary.missing["MSFT"]
    assert "finnhub" in summary.missing["MSFT"]
    assert summary.providers == {"yahoo": 1}


async def test_total_failure_raises_and_the_last_good_data_stays(store: MemoryStore) -> None:
    """With every provider down the task fails with their reasons and the longest-known quote is untouched."""
    await refresh(store, Canned("yahoo", {"AAPL": "1", "MSFT": "2"}))
    before = store.quotes()
    down = Canned("yahoo", {}, ProviderTimeoutError("yahoo", "no answer", retry_after=7))
    with pytest.raises(TaskFailedError, match="yahoo: timeout") as caught:
        await refresh(store, down)
    assert caught.value.retry_after == 7
    assert store.quotes() == before


async def test_what_fails_validation_is_quarantined_and_not_stored(store: MemoryStore) -> None:
    """A refused quote is kept in the quarantine with its reason and never becomes a price."""
    await refresh(store, Canned("yahoo", {"AAPL": "-1", "MSFT": "2"}))
    assert set(store.quotes()) == {"MSFT"}
    assert [(record.symbol, record.reason) for record in store.quarantined()] == [("AAPL", "non-positive: it is")]


async def test_success_is_recorded_per_provider_for_freshness(store: MemoryStore) -> None:
    """Health can see which provider delivered stock quotes last, and when."""
    await refresh(store, Canned("yahoo", {"AAPL": "1"}), Canned("finnhub", {"MSFT": "2"}))
    assert set(store.last_success()) == {("quotes:stock", "yahoo"), ("quotes:stock", "finnhub")}


async def test_an_unknown_symbol_is_refused_before_any_provider_is_asked(store: MemoryStore) -> None:
    """A symbol that is not an asset never reaches an upstream."""
    provider = Canned("yahoo", {})
    with pytest.raises(InvalidArgumentsError, match=r"symbols\.0"):
        await refresh(store, provider, symbols=["NOPE"])
    assert provider.asked == []
