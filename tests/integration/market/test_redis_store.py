"""Tests that `RedisStore` on a real Redis has the properties of every store."""

import pytest
import redis

from financehub_shared.market.protocols import Store
from financehub_shared.market.redis_store import RedisStore
from support.store_contract import StoreContract


@pytest.fixture
def store(redis_client: redis.Redis) -> Store:
    """An empty store."""
    return RedisStore(redis_client)


class TestRedisStore(StoreContract):
    """The properties of a store in Redis."""
