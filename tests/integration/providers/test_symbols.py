"""Tests that both tasks handle every kind of symbol in an assets file: units, currencies, bars and indicators."""

import time

import pytest
import redis

from financehub_high_priority.quotes import refresh_quotes
from financehub_medium_priority.indicators.task import calculate_indicators
from financehub_shared.core.clock import SystemClock
from financehub_shared.market.assets_file import parse_assets
from financehub_shared.market.redis_store import RedisStore
from financehub_simulator.market import Market
from support.failure_modes import providers_for
from support.simulator import RunningSimulator

ASSETS = """
assets:
  - {symbol: AAPL, type: stock}
  - {symbol: BRK-B, type: stock}
  - {symbol: ^GSPC, type: stock}
  - {symbol: EURUSD=X, type: stock}
  - {symbol: EURGBP=X, type: stock}
  - {symbol: VOD.L, type: stock}
  - {symbol: SSW.JO, type: stock}
  - {symbol: TEVA.TA, type: stock}
  - {symbol: 7203.T, type: stock}
  - {symbol: ^N225, type: stock}
  - {symbol: ^FTSE, type: stock}
  - {symbol: M&M.NS, type: stock}
  - {symbol: VFIAX, type: stock}
  - {symbol: SPY, type: stock, kind: fund}
  - {symbol: GC=F, type: stock}
  - {symbol: JPY=X, type: stock}
"""
#: Minor units per major unit: pence, cents, agorot.
PER_UNIT = {"VOD.L": 100, "SSW.JO": 100, "TEVA.TA": 100}


async def test_quotes_bars_and_indicators_are_in_the_major_unit(redis_url: str, redis_client: redis.Redis):
    """Indices, currencies and stocks of six exchanges are fetched, stored and computed in the asset's currency."""
    clock, store, at = SystemClock(), RedisStore(redis_client), time.time()
    assets = parse_assets(ASSETS, "assets.yaml")
    store.put_assets(assets)
    with RunningSimulator(enforce_rate_limits=False, now=lambda: at) as sim:
        async with providers_for(sim, redis_url) as providers:
            quoted = await refresh_quotes(
                "fetch_stock_prices_task",
                None,
                store=store,
                provider_orders=providers.quotes,
                clock=clock,
            )
            computed = await calculate_indicators(
                None, store=store, bars=providers.bars, engine="talib", series=100, clock=clock
            )
    assert (quoted.stored, quoted.missing) == (len(assets), {})
    assert (computed.stored, computed.missing) == (len(assets), {})
    assert store.quarantined() == []
    market, quotes, indicators = Market(seed=7), store.quotes(), store.indicators()
    for asset in assets:
        quote, bars = quotes[asset.symbol], store.bars([asset.symbol])[asset.symbol]
        expected = market.current_day(asset.symbol, at).close / PER_UNIT.get(asset.symbol, 1)
        assert quote.currency == asset.currency
        assert float(quote.price) == pytest.approx(expected, rel=1e-3), asset.symbol
        assert bars.close[-1] == pytest.approx(expected, rel=0.3), asset.symbol
        assert indicators[asset.symbol].values["sma_20"] == pytest.approx(expected, rel=0.4), asset.symbol
