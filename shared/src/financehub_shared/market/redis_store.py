"""`RedisStore`: the store's port on one Redis, each kind of data in a module of its own."""

from financehub_shared.market.assets import RedisAssets
from financehub_shared.market.bars import RedisBars
from financehub_shared.market.indicators import RedisIndicators
from financehub_shared.market.news import RedisNews
from financehub_shared.market.quarantine import RedisJournal
from financehub_shared.market.quotes import RedisQuotes
from financehub_shared.market.retention import RedisRetention


class RedisStore(RedisAssets, RedisQuotes, RedisBars, RedisIndicators, RedisNews, RedisJournal, RedisRetention):
    """Market data in Redis (6.2 or newer, or Valkey).

    Args:
        client: of the data's Redis, answering bytes (`decode_responses=False`).
    """
