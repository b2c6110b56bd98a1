"""The closes of the last day are read again only for prices that have changed."""

import redis

from financehub_shared.core.durations import HOUR_SECONDS
from financehub_shared.core.kinds import AssetType
from financehub_shared.core.models import Asset
from financehub_shared.market.redis_store import RedisStore
from financehub_shared.views.quotes import QuoteView, quote_view
from financehub_web.reading.closes import RecentCloses
from support.market_data import T0, quote

_NAMES = ("ADA-USD", "BTC-USD", "ETH-USD")
_LIMITS = {"quotes:crypto": 300.0}


def _views(store: RedisStore, now: float) -> list[QuoteView]:
    return [quote_view(Asset(name, AssetType.CRYPTO), each, now, _LIMITS) for name, each in store.quotes().items()]


def _reads(client: redis.Redis) -> int:
    """Return how many keys have been read."""
    return int(client.info("commandstats").get("cmdstat_get", {"calls": 0})["calls"])


def test_closes_are_read_again_for_new_prices_only(redis_client: redis.Redis) -> None:
    """Without a new price nothing is read, and with one only its asset, until the next hour moves the range."""
    store, closes = RedisStore(redis_client), RecentCloses(RedisStore(redis_client))
    now = T0 // HOUR_SECONDS * HOUR_SECONDS + 100
    store.put_quotes([quote(name, "1", now - 60) for name in _NAMES])
    first = closes.read(_views(store, now), now)
    assert {name: len(each.points) for name, each in first.items()} == dict.fromkeys(_NAMES, 1)
    before = _reads(redis_client)
    assert closes.read(_views(store, now), now + 1) == first
    assert _reads(redis_client) == before
    store.put_quotes([quote("BTC-USD", "2", now)])
    second = closes.read(_views(store, now), now + 1)
    assert _reads(redis_client) - before in {1, 2, 3}  # the days that the range touches, of one asset
    assert [price for _, price in second["BTC-USD"].points] == [1, 2]
    assert second["ADA-USD"] == first["ADA-USD"]
    before = _reads(redis_client)
    closes.read(_views(store, now), now + HOUR_SECONDS)
    assert _reads(redis_client) - before >= len(_NAMES)


def test_closes_of_an_asset_without_a_history_are_missing(redis_client: redis.Redis) -> None:
    """An asset without stored prices has no line, and is not asked for with every page."""
    store, closes = RedisStore(redis_client, history_days=0), RecentCloses(RedisStore(redis_client))
    store.put_quotes([quote("BTC-USD", "1", T0)])
    assert closes.read(_views(store, T0), T0) == {}
    before = _reads(redis_client)
    assert closes.read(_views(store, T0), T0) == {}
    assert _reads(redis_client) == before
