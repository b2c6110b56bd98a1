"""Tests of the price tasks with an in-memory store and providers with fixed responses."""

from collections.abc import Sequence
from decimal import Decimal

import pytest

from financehub_high_priority.quotes import refresh_quotes
from financehub_shared.core.clock import ManualClock
from financehub_shared.core.errors import InvalidArgumentsError, ProviderError, ProviderTimeoutError, TaskFailedError
from financehub_shared.core.kinds import AssetType
from financehub_shared.core.models import Asset, Quote
from financehub_shared.core.task_summary import TaskSummary
from financehub_shared.providers.protocols import QuoteBatch
from support.memory_store import MemoryStore

STOCKS = "fetch_stock_prices_task"


class FixedProvider:
    """A provider with fixed prices, or one that always fails.

    Args:
        name: Name of the provider.
        prices: Symbol → price.
        error: Error that every call raises, if given.
    """

    def __init__(self, name: str, prices: dict[str, str], error: ProviderError | None = None) -> None:
        self.name = name
        self.prices = prices
        self.error = error
        self.requested: list[str] = []

    def serves(self, asset: Asset) -> bool:
        return asset.type in AssetType

    async def fetch_quotes(self, assets: Sequence[Asset], deadline: float) -> QuoteBatch:
        self.requested = [asset.symbol for asset in assets]
        if self.error:
            raise self.error
        return QuoteBatch(
            {
                s: Quote(s, Decimal(p), "USD", None, 1.0, self.name)
                for s, p in self.prices.items()
                if s in self.requested
            }
        )


@pytest.fixture
def store() -> MemoryStore:
    """A store with two stocks and one coin."""
    store = MemoryStore()
    store.put_assets(
        [
            Asset("AAPL", AssetType.STOCK),
            Asset("MSFT", AssetType.STOCK),
            Asset("BTC-USD", AssetType.CRYPTO),
        ]
    )
    return store


async def refresh(store: MemoryStore, *providers: FixedProvider, symbols: list[str] | None = None) -> TaskSummary:
    """Run the stock price task with the given providers."""
    provider_orders = {AssetType.STOCK: providers, AssetType.CRYPTO: providers}
    return await refresh_quotes(STOCKS, symbols, store=store, provider_orders=provider_orders, clock=ManualClock())


async def test_stock_price_task_fetches_only_active_stocks(store: MemoryStore) -> None:
    """The stock price task requests every active stock and nothing else."""
    provider = FixedProvider("yahoo", {"AAPL": "1", "MSFT": "2"})
    summary = await refresh(store, provider)
    assert provider.requested == ["AAPL", "MSFT"]
    assert (summary.requested, summary.stored) == (2, 2)
    assert set(store.quotes()) == {"AAPL", "MSFT"}


async def test_price_task_with_a_missing_symbol_succeeds_and_names_it(store: MemoryStore) -> None:
    """If one of two quotes is missing, the task succeeds and reports the symbol with each provider's reason."""
    summary = await refresh(store, FixedProvider("yahoo", {"AAPL": "1"}), FixedProvider("finnhub", {}))
    assert summary.stored == 1
    assert set(summary.missing) == {"MSFT"}
    assert "yahoo" in summary.missing["MSFT"]
    assert "finnhub" in summary.missing["MSFT"]
    assert summary.providers == {"yahoo": 1}


async def test_price_task_with_all_providers_down_raises_and_keeps_stored_quotes(store: MemoryStore) -> None:
    """If all providers fail, the task raises with their reasons and the longest wait. Stored quotes do not change."""
    await refresh(store, FixedProvider("yahoo", {"AAPL": "1", "MSFT": "2"}))
    before = store.quotes()
    down = FixedProvider("yahoo", {}, ProviderTimeoutError("yahoo", "no answer", retry_after=7))
    with pytest.raises(TaskFailedError, match="yahoo: timeout") as caught:
        await refresh(store, down)
    assert caught.value.retry_after == 7
    assert store.quotes() == before


async def test_price_task_quarantines_rejected_quotes(store: MemoryStore) -> None:
    """A rejected quote is stored in the quarantine with its reason and not as a price."""
    await refresh(store, FixedProvider("yahoo", {"AAPL": "-1", "MSFT": "2"}))
    assert set(store.quotes()) == {"MSFT"}
    assert [(record.symbol, record.reason) for record in store.quarantined()] == [("AAPL", "price: -1 is not positive")]


async def test_price_task_records_success_per_provider(store: MemoryStore) -> None:
    """The task records the last success of every provider that delivered stock quotes."""
    await refresh(store, FixedProvider("yahoo", {"AAPL": "1"}), FixedProvider("finnhub", {"MSFT": "2"}))
    assert set(store.last_success()) == {("quotes:stock", "yahoo"), ("quotes:stock", "finnhub")}


async def test_price_task_with_an_unknown_symbol_raises_before_any_call(store: MemoryStore) -> None:
    """An unknown symbol raises an error before any provider is called."""
    provider = FixedProvider("yahoo", {})
    with pytest.raises(InvalidArgumentsError, match=r"symbols\.0"):
        await refresh(store, provider, symbols=["NOPE"])
    assert provider.requested == []


async def test_price_task_without_assets_says_why() -> None:
    """A run without any asset is not mistaken for a run with nothing due (F8)."""
    empty = MemoryStore()
    assert (await refresh(empty)).details["note"].startswith("no asset is declared")
    empty.put_assets([Asset("BTC-USD", AssetType.CRYPTO)])
    assert (await refresh(empty)).details["note"].startswith("no active stock asset; 1 assets of other types")
