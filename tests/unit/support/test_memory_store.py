"""Tests that `MemoryStore` has the properties of every store."""

import pytest

from financehub_shared.market.port import Store
from support import store_contract
from support.memory_store import MemoryStore


@pytest.fixture
def store() -> Store:
    """An empty store."""
    return MemoryStore()


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
