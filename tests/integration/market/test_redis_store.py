"""Tests that `RedisStore` on a real Redis has the properties of every store."""

from dataclasses import replace

import pytest
import redis

from financehub_shared.core.kinds import AssetType
from financehub_shared.core.models import Asset
from financehub_shared.market.encoding.records import encode_asset
from financehub_shared.market.protocols import Store
from financehub_shared.market.redis_store import RedisStore
from financehub_shared.market.unreadable import Unreadable
from financehub_shared.redis import keys
from support.store_contract import StoreContract


@pytest.fixture
def store(redis_client: redis.Redis) -> Store:
    """An empty store."""
    return RedisStore(redis_client)


class TestRedisStore(StoreContract):
    """The properties of a store in Redis."""


ASSETS = [
    Asset("BTC-USD", AssetType.CRYPTO, "Bitcoin", provider_symbols={"yahoo": "BTC-USD"}),
    Asset("VOD.L", AssetType.STOCK, "Vodafone", "GBP"),
]


@pytest.mark.parametrize(
    "changed",
    [
        encode_asset(replace(ASSETS[1], name="Vodafone Group")),
        encode_asset(replace(ASSETS[1], active=False)),
        encode_asset(replace(ASSETS[1], provider_symbols={"yahoo": "VOD"})),
        encode_asset(ASSETS[1])[:-1],
        encode_asset(ASSETS[1]).replace("stock", "rock"),
        None,
    ],
)
def test_assets_that_another_process_changed_since_the_last_read_are_read_again(
    redis_client: redis.Redis, changed: str | None
) -> None:
    """Each read returns what a store that reads for the first time returns, and decodes only what has changed."""
    store = RedisStore(redis_client)
    store.put_assets(ASSETS)
    first = store.assets(active_only=False)
    if changed is None:
        redis_client.hdel(keys.ASSETS, "VOD.L")
    else:
        redis_client.hset(keys.ASSETS, "VOD.L", changed)
    for _ in range(2):
        unreadable: Unreadable = {}
        fresh_unreadable: Unreadable = {}
        found = store.assets(active_only=False, unreadable=unreadable)
        assert found == RedisStore(redis_client).assets(active_only=False, unreadable=fresh_unreadable)
        assert unreadable.keys() == fresh_unreadable.keys()
        assert found[0] is first[0], "the asset that has not changed is not decoded again"
