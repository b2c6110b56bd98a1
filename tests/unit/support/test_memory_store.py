"""Tests that `MemoryStore` has the properties of every store."""

import pytest

from financehub_shared.market.protocols import Store
from support.memory_store import MemoryStore
from support.store_contract import StoreContract


@pytest.fixture
def store() -> Store:
    """An empty store."""
    return MemoryStore()


class TestMemoryStore(StoreContract):
    """The properties of an in-memory store."""
