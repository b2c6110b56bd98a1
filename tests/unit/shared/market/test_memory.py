"""`MemoryStore` keeps the store's laws."""

import pytest

from financehub_shared.market.port import Store
from support import store_contract
from support.memory_store import MemoryStore


@pytest.fixture
def store() -> Store:
    return MemoryStore()


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
