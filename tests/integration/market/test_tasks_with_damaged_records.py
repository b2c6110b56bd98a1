"""Tests that every task works for all other assets while records in Redis cannot be read (D13)."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

import pytest
import redis

from financehub_high_priority.quotes import refresh_quotes
from financehub_low_priority.cleanup import cleanup_old_cache
from financehub_low_priority.health_check import check_health
from financehub_medium_priority.indicators.task import calculate_indicators
from financehub_medium_priority.news import refresh_news
from financehub_shared.core.clock import ManualClock
from financehub_shared.core.errors import NotFoundError
from financehub_shared.core.kinds import AssetType
from financehub_shared.core.models import Asset, Bars, Quarantined
from financehub_shared.core.settings import load_settings
from financehub_shared.core.task_summary import TaskSummary
from financehub_shared.health.readers import health_checker
from financehub_shared.market.quality.disputes import Claim, Dispute
from financehub_shared.market.quality.full_reads import FullRead
from financehub_shared.market.redis_store import RedisStore
from financehub_shared.monitor import TaskMonitor
from financehub_shared.providers.bar_fetcher import BarFetcher
from financehub_shared.providers.protocols import NewsBatch, QuoteBatch
from financehub_shared.redis import keys
from support.damage import KINDS, RecordKind, damage_records
from support.market_data import T0, bars, indicators, news, quote

TODAY = int(T0 // 86_400)
SYMBOLS = {"AAPL": AssetType.STOCK, "MSFT": AssetType.STOCK, "BTC-USD": AssetType.CRYPTO}


class FakeProvider:
    """A provider that delivers a quote of every asset, one news item, and no bars."""

    name = "fake"

    def serves(self, asset: Asset) -> bool:
        return True

    async def fetch_quotes(self, assets: Sequence[Asset], deadline: float) -> QuoteBatch:
        return QuoteBatch({asset.symbol: quote(asset.symbol, "101", T0, provider=self.name) for asset in assets})

    async def fetch_bars(self, asset: Asset, first_day: int, deadline: float) -> Bars:
        raise NotFoundError(self.name, "no bars")

    def sources(self) -> Sequence[str]:
        return ["fake"]

    async def fetch_news(self, sources: Sequence[str] | None, deadline: float) -> NewsBatch:
        return NewsBatch([news("new", "Microsoft (MSFT) buys a bank", T0)])


@pytest.fixture
def store(redis_client: redis.Redis) -> RedisStore:
    """A store with two stocks and a coin, whose data is an hour old."""
    store = RedisStore(redis_client)
    before = T0 - 3_600
    store.put_assets(Asset(symbol, type, symbol.title()) for symbol, type in SYMBOLS.items())
    store.put_quotes(quote(symbol, "100", before, provider="fake") for symbol in SYMBOLS)
    store.put_disputes({"AAPL": Dispute(before, {"other": Claim(Decimal(2), before, before, before)}, None, before)})
    store.put_bars(bars(symbol, range(TODAY - 300, TODAY)) for symbol in SYMBOLS)
    store.put_full_reads(dict.fromkeys(SYMBOLS, FullRead(before, T0 + 3_600)))
    store.put_indicators(indicators(symbol) for symbol in SYMBOLS)
    store.put_news(replace(news(each, f"All about {each}", before, each), id=each) for each in SYMBOLS)
    store.put_quarantined(Quarantined("quote", each, "binance", "not-found: it", "{}", before) for each in SYMBOLS)
    for symbol in SYMBOLS:
        store.mark_success("news", symbol, before)
    return store


def run_tasks(store: RedisStore, redis_client: redis.Redis, redis_url: str) -> dict[str, TaskSummary]:
    """Run every task once and return the summaries."""
    clock, provider = ManualClock(T0), FakeProvider()
    settings = load_settings({"REDIS_URL": redis_url})
    orders = {type: [provider] for type in AssetType}
    fetcher = BarFetcher([provider], clock)

    async def fetch() -> list[TaskSummary]:
        return [
            await refresh_quotes(task, None, store=store, provider_orders=orders, clock=clock)
            for task in ("fetch_crypto_prices_task", "fetch_stock_prices_task")
        ] + [
            await calculate_indicators(None, store=store, bars=fetcher, engine="talib", series=10, clock=clock),
            await refresh_news(None, store=store, providers=[provider], clock=clock),
        ]

    crypto, stock, computed, articles = asyncio.run(fetch())
    health = check_health(
        checker=health_checker(settings, clock=clock),
        monitor=TaskMonitor(redis_client),
        client=redis_client,
        clock=clock,
    )
    cleanup = cleanup_old_cache(store=store, settings=settings, clock=clock, dry_run=False)
    return {
        "crypto": crypto,
        "stock": stock,
        "indicators": computed,
        "news": articles,
        "health": health,
        "cleanup": cleanup,
    }


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_tasks_with_damaged_records_serve_all_other_assets(
    store: RedisStore, redis_client: redis.Redis, redis_url: str, kind: RecordKind
):
    """Every task stores new data of the intact assets, and names the assets that it could not serve."""
    victims = damage_records(redis_client, kind, "AAPL", every=2 if kind.json_at else 1)
    if kind.name != "asset":
        intact = redis_client.hget(keys.ASSETS, "AAPL")
        redis_client.hset(keys.ASSETS, mapping=dict.fromkeys(victims, intact))
    summaries = run_tasks(store, redis_client, redis_url)
    quotes, values = store.quotes(list(SYMBOLS)), store.indicators(list(SYMBOLS))
    assert {symbol: found.price for symbol, found in quotes.items()} == dict.fromkeys(SYMBOLS, 101)
    assert {symbol: found.computed_at for symbol, found in values.items()} == dict.fromkeys(SYMBOLS, T0)
    assert [item.published_at for item in store.news("MSFT")] == [T0, T0 - 3_600]
    assert redis_client.exists(keys.HEALTH)
    if kind.name == "asset":
        readable = {asset.symbol for asset in store.assets(active_only=False)}
        named = {symbol for symbol in victims if symbol not in readable}
        for task in ("crypto", "stock", "indicators", "news"):
            reasons = summaries[task].missing
            assert {symbol for symbol in named if "financehub:assets" in reasons.get(symbol, "")} == named
        assert "financehub:assets" in summaries["health"].missing["assets"]
    if kind.name == "bars":
        assert "financehub:bars:V1: " in summaries["indicators"].missing["V1"]
    if kind.name not in {"asset", "bars"}:
        assert victims.keys() <= store.quotes().keys()


@pytest.mark.parametrize("key", [keys.ASSETS, keys.QUOTES, keys.NEWS_BY_TIME])
def test_tasks_with_a_shared_key_of_another_type_continue(
    store: RedisStore, redis_client: redis.Redis, redis_url: str, key: str
):
    """Every task completes. It replaces the key, and without assets, its summary names the key and the repair."""
    redis_client.delete(key)
    redis_client.rpush(key, "x")
    summaries = run_tasks(store, redis_client, redis_url)
    if key == keys.ASSETS:
        for task in ("crypto", "stock", "indicators", "news"):
            assert "`financehub assets add` replaces it" in summaries[task].missing[key]
        assert "is a key of another type" in summaries["health"].missing["assets"]
    else:
        assert redis_client.type(key) in {b"hash", b"zset"}
        assert store.quotes().keys() == SYMBOLS.keys()


def test_tasks_named_with_an_unreadable_asset_serve_the_others(
    store: RedisStore, redis_client: redis.Redis, redis_url: str
):
    """A run that is limited to some symbols is not refused because one asset's record cannot be read."""
    redis_client.hset(keys.ASSETS, "MSFT", b"?")
    summary = asyncio.run(
        refresh_quotes(
            "fetch_stock_prices_task",
            ["MSFT", "AAPL"],
            store=store,
            provider_orders={type: [FakeProvider()] for type in AssetType},
            clock=ManualClock(T0),
        )
    )
    assert (summary.requested, summary.stored, summary.missing_count) == (1, 1, 1)
    assert "`financehub assets add MSFT" in summary.missing["MSFT"]
