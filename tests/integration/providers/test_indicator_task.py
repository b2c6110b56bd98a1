"""Tests of the indicator task on a real Redis, with the real providers and the simulator."""

from collections.abc import AsyncIterator

import pytest
import redis

from financehub_medium_priority.indicators.outputs import OUTPUTS
from financehub_medium_priority.indicators.task import calculate_indicators
from financehub_shared.core.clock import SystemClock
from financehub_shared.core.errors import TaskFailedError
from financehub_shared.core.kinds import AssetType
from financehub_shared.core.models import Asset, Bars
from financehub_shared.core.settings import BAR_HISTORY_DAYS
from financehub_shared.market.redis_store import RedisStore
from financehub_shared.providers.build import Providers
from financehub_shared.redis import keys
from support.failure_modes import providers_for
from support.simulator import RunningSimulator

CLOCK = SystemClock()


def trim_to(bars: Bars, last_day: int) -> Bars:
    """Return the bars up to a day."""
    end = bars.days.index(last_day) + 1
    columns = (getattr(bars, name)[:end] for name in ("open", "high", "low", "close", "volume"))
    return Bars(bars.symbol, bars.provider, bars.days[:end], *columns)


COINS = [Asset(f"{base}-USD", AssetType.CRYPTO) for base in ("BTC", "ETH")]
STOCKS = [Asset("AAPL", AssetType.STOCK), Asset("OCDO.L", AssetType.STOCK, currency="GBP")]


@pytest.fixture
def store(redis_client: redis.Redis) -> RedisStore:
    store = RedisStore(redis_client)
    store.put_assets([*COINS, *STOCKS])
    return store


@pytest.fixture
async def providers(simulator: RunningSimulator, redis_url: str) -> AsyncIterator[Providers]:
    async with providers_for(simulator, redis_url) as built:
        yield built


async def run(store: RedisStore, providers: Providers):
    return await calculate_indicators(None, store=store, bars=providers.bars, engine="talib", series=100, clock=CLOCK)


async def test_task_fetches_bars_once(store: RedisStore, providers: Providers, simulator: RunningSimulator):
    """On a cold start, one request per asset yields two years of bars and all outputs. A warm run sends no request."""
    summary = await run(store, providers)
    assert (summary.requested, summary.stored, summary.missing_count) == (4, 4, 0)
    assert summary.providers == {"simulated/binance": 2, "simulated/yahoo": 2}
    assert simulator.request_counts("yahoo")["/v8/finance/chart/{symbol}"] == 2
    for symbol, values in store.indicators().items():
        assert set(values.values) == set(OUTPUTS), symbol
    assert all(len(bars) > BAR_HISTORY_DAYS * 0.66 for bars in store.bars(["BTC-USD", "AAPL", "OCDO.L"]).values())
    assert store.quarantined() == []
    simulator.reset()
    again = await run(store, providers)
    assert (again.stored, again.providers, simulator.request_counts()) == (4, {}, {})
    assert {dataset for dataset, _ in store.last_success()} == {"bars", "indicators"}


@pytest.mark.parametrize(
    ("fault", "reason"),
    [("x100", "jump"), ("div100", "jump"), ("negative", "price"), ("zero", "price"), ("huge", "price")],
)
async def test_task_with_wrong_days_stores_no_wrong_bar(
    store: RedisStore, providers: Providers, simulator: RunningSimulator, fault: str, reason: str
):
    """A history with one wrong day in ten is stored without these days or corrected, and each of them is recorded."""
    simulator.set_fault(fault, "yahoo", symbol="AAPL", endpoint="/v8")
    await run(store, providers)
    clean = store.bars(["AAPL"])["AAPL"]
    changes = [now / last for last, now in zip(clean.close, clean.close[1:], strict=False)]
    assert 0.6 < min(changes) < max(changes) < 1.6
    reasons = {record.reason.split(":")[0] for record in store.quarantined()}
    assert reasons <= {reason, "unit", "scale"}
    assert reasons
    assert len(store.indicators()["AAPL"].values) == len(OUTPUTS)


async def test_task_with_damaged_bars_skips_one_asset(
    store: RedisStore, providers: Providers, redis_client: redis.Redis, simulator: RunningSimulator, redis_url: str
):
    """A damaged history is reported with the fix and left unchanged. The others are stored and computed."""
    await run(store, providers)
    for symbol in ("BTC-USD", "ETH-USD"):
        bars = store.bars([symbol])[symbol]
        redis_client.delete(keys.bars(symbol))
        store.put_bars([trim_to(bars, bars.days[-4])])
    size = redis_client.strlen(keys.bars("BTC-USD"))
    redis_client.setrange(keys.bars("BTC-USD"), size - 20, b"\xff" * 20)
    # New providers, like another process. The old ones remember that they have already fetched these days.
    async with providers_for(simulator, redis_url) as others:
        summary = await run(store, others)
    assert summary.stored == 3
    assert "`redis-cli UNLINK financehub:bars:BTC-USD` removes it" in summary.missing["BTC-USD"]
    assert store.last_days(["ETH-USD"])["ETH-USD"] == store.last_days(["BTC-USD"])["BTC-USD"] + 3


async def test_task_in_an_outage_keeps_stored_indicators(
    store: RedisStore, providers: Providers, simulator: RunningSimulator
):
    """If every provider of bars fails, the task fails with the reasons and the stored indicators remain."""
    await run(store, providers)
    before = store.indicators()
    store.put_assets(Asset(f"NEW{number}", AssetType.STOCK) for number in range(6))
    simulator.set_fault("server-error", "yahoo")
    with pytest.raises(TaskFailedError, match="simulated/yahoo: upstream"):
        await run(store, providers)
    assert {symbol: values.values for symbol, values in store.indicators().items()} == {
        symbol: values.values for symbol, values in before.items()
    }
