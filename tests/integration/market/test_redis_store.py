"""Tests that `RedisStore` has the properties of every store, with a real Redis."""

import pytest
import redis

from financehub_shared.market.port import Store
from financehub_shared.market.redis_store import RedisStore
from support import store_contract


@pytest.fixture
def store(redis_client: redis.Redis) -> Store:
    """An empty store."""
    return RedisStore(redis_client)


class TestAssets(store_contract.AssetsContract):
    """Properties of assets."""


class TestQuotes(store_contract.QuotesContract):
    """Properties of quotes."""


class TestBars(store_contract.BarsContract):
    """Properties of bars."""


class TestIndicators(store_contract.IndicatorsContract):
    """Properties of indicators."""


class TestNews(store_contract.NewsContract):
    """Properties of news."""


class TestQuarantine(store_contract.QuarantineContract):
    """Properties of quarantine and freshness."""


class TestRetention(store_contract.RetentionContract):
    """Properties of retention."""
