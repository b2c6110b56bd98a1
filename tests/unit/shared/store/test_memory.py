"""`MemoryStore` keeps the store's laws."""

import pytest

from financehub_shared.store import MemoryStore, Store
from support import store_contract


@pytest.fixture
def store() -> Store:
    return MemoryStore()


class TestAssets(store_contract.AssetsContract):
    """Laws of assets."""


class TestQuotes(store_contract.QuotesContract):
    """Laws of quotes."""
