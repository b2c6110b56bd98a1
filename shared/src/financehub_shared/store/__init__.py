"""Market data at rest: one port, a Redis store and its in-memory peer."""

from financehub_shared.store.memory import MemoryStore
from financehub_shared.store.port import Store
from financehub_shared.store.redis_store import RedisStore

__all__ = ["MemoryStore", "RedisStore", "Store"]
