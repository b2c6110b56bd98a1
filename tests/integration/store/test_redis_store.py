"""`RedisStore` keeps the store's laws on a real Redis, in bounded round trips."""

import pytest
import redis

from financehub_shared.market.port import Store
from financehub_shared.market.redis_store import RedisStore
from support import store_contract


@pytest.fixture
def store(redis_client: redis.Redis) -> Store:
    return RedisStore(redis_client)


class TestAssets(store_contract.AssetsContract):
    """Laws of assets."""


class TestQuotes(store_contract.QuotesContract):
    """Laws of quotes."""


class TestBars(store_contract.BarsContract):
    """Laws of bars."""


class TestIndicators(store_contract.IndicatorsContract):
    """Laws of indicators."""


class TestNews(store_contract.NewsContract):
    """Laws of news."""


class TestJournal(store_contract.JournalContract):
    """Laws of journal."""


class TestRetention(store_contract.RetentionContract):
    """Laws of retention."""
