"""Tests of the store that decodes only what has changed."""

import redis

from financehub_shared.core.kinds import AssetType
from financehub_shared.core.models import Asset
from financehub_shared.market.redis_store import RedisStore
from financehub_shared.market.unreadable import Unreadable
from financehub_shared.redis import keys
from financehub_web.reading.remembering_store import RememberingStore
from support.market_data import T0, quote

SYMBOLS = ["AAPL", "MSFT", "NVDA"]


def test_store_returns_the_same_as_a_store_that_forgets(redis_client: redis.Redis) -> None:
    """After every kind of change, both stores return the same records, the same order and the same errors."""
    writer, remembering = RedisStore(redis_client), RememberingStore(redis_client)

    def compare() -> None:
        for symbols in (None, SYMBOLS, ["NVDA", "AAPL"], ["NONE"]):
            unreadable: tuple[Unreadable, Unreadable] = ({}, {})
            expected = writer.quotes(symbols, unreadable=unreadable[0])
            found = remembering.quotes(symbols, unreadable=unreadable[1])
            assert list(found.items()) == list(expected.items())
            assert str(unreadable[0]) == str(unreadable[1])
        assert remembering.assets(active_only=False) == writer.assets(active_only=False)

    compare()
    writer.put_assets(Asset(symbol, AssetType.STOCK) for symbol in SYMBOLS)
    writer.put_quotes(quote(symbol) for symbol in SYMBOLS)
    compare()
    compare()
    writer.put_quotes([quote("MSFT", "7", fetched_at=T0 + 60)])
    writer.put_assets([Asset("MSFT", AssetType.STOCK, "Microsoft")])
    compare()
    redis_client.hset(keys.QUOTES, "AAPL", b"\xff{")
    redis_client.hset(keys.ASSETS, "AAPL", b"\xff{")
    compare()
    compare()
    writer.remove_assets(["NVDA"])
    compare()
    redis_client.delete(keys.QUOTES, keys.ASSETS)
    compare()


def test_records_that_have_not_changed_are_not_decoded_again(redis_client: redis.Redis) -> None:
    """An unchanged record is the same object, and after a read of one record the others are still known."""
    store = RememberingStore(redis_client)
    store.put_quotes(quote(symbol) for symbol in SYMBOLS)
    first = store.quotes()
    store.put_quotes([quote("MSFT", "7", fetched_at=T0 + 60)])
    assert store.quotes(["MSFT"])["MSFT"] is not first["MSFT"]
    again = store.quotes()
    assert again["AAPL"] is first["AAPL"]
    assert again["MSFT"].price == 7


def test_records_of_removed_assets_are_forgotten(redis_client: redis.Redis) -> None:
    """What a reading of all records no longer contains takes no memory."""
    store = RememberingStore(redis_client)
    store.put_assets(Asset(symbol, AssetType.STOCK) for symbol in SYMBOLS)
    store.put_quotes(quote(symbol) for symbol in SYMBOLS)
    store.assets()
    store.quotes()
    store.remove_assets(SYMBOLS[:1])
    store.assets()
    store.quotes()
    assert store._remembered.keys() == store._last_read.keys() == set(SYMBOLS[1:])
