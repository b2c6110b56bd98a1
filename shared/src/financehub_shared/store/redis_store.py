"""`RedisStore`: the store's port on one Redis, each kind of data in a module of its own."""

from financehub_shared.store.redis_assets import RedisAssets
from financehub_shared.store.redis_quotes import RedisQuotes


class RedisStore(RedisAssets, RedisQuotes):
    """Market data in Redis (6.2 or newer, or Valkey).

    Args:
        client: of the data's Redis, answering bytes (`decode_responses=False`).
    """
