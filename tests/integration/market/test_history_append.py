"""Tests of the script that accepts quotes and appends them: on every server, in a full Redis, with many writers."""

import threading
from collections.abc import Callable
from random import Random

import pytest
import redis

from financehub_shared.core.durations import DAY_SECONDS
from financehub_shared.core.errors import StoreUnavailableError
from financehub_shared.core.models import Quote
from financehub_shared.market.encoding.history import RECORD_SIZE
from financehub_shared.market.redis_store import RedisStore
from financehub_shared.redis import keys
from financehub_shared.redis.client import connect
from support.market_data import T0, quote
from support.redis_binaries import SERVERS
from support.redis_server import RedisServer

DAY = int(T0 // DAY_SECONDS)
HISTORY = keys.history("BTC-USD", DAY)


def prices_of(store: RedisStore, symbol: str = "BTC-USD") -> list[float]:
    """Return the prices of the day of `T0`."""
    return [point.price for point in store.history(symbol, DAY * DAY_SECONDS, (DAY + 1) * DAY_SECONDS).points]


@pytest.mark.parametrize("version", SERVERS)
def test_put_quotes_on_every_server_appends_repairs_and_expires(redis_server: Callable[..., RedisServer], version: str):
    """Redis 6.2, Redis 7 and Valkey name errors differently in scripts. Each of them sets a foreign key aside."""
    client = redis_server(server=version).client()
    store = RedisStore(client, history_days=2)
    client.rpush(keys.history("AAPL", DAY), "x")
    for number in range(3):
        quotes = [quote(symbol, str(number + 1), T0 + number) for symbol in ("AAPL", "BTC-USD")]
        for _ in range(2):
            store.put_quotes(quotes)
        client.append(HISTORY, b"?" * number)
    assert prices_of(store, "AAPL") == prices_of(store) == [1, 2, 3]
    assert client.strlen(keys.history("AAPL", DAY)) == 3 * RECORD_SIZE
    assert 3 * DAY_SECONDS - 60 < client.ttl(HISTORY) <= 3 * DAY_SECONDS


def test_put_quotes_without_a_history_stores_only_quotes(redis_client: redis.Redis):
    """With a retention of 0 days, there are no histories, and existing ones are not extended."""
    RedisStore(redis_client).put_quotes([quote(price="1")])
    store = RedisStore(redis_client, history_days=0)
    store.put_quotes([quote(price="2", fetched_at=T0 + 1), quote("AAPL")])
    assert store.quotes()["BTC-USD"].price == 2
    assert prices_of(store) == [1]
    assert not redis_client.exists(keys.history("AAPL", DAY))


def test_put_quotes_of_a_full_redis_stores_neither_quote_nor_price(redis_client: redis.Redis):
    """A write that Redis refuses leaves the quote and the history as they were, so they cannot disagree."""
    store = RedisStore(redis_client)
    store.put_quotes([quote(price="1")])
    redis_client.config_set("maxmemory", 1)
    try:
        with pytest.raises(StoreUnavailableError, match="memory"):
            store.put_quotes([quote(price="2", fetched_at=T0 + 1)])
    finally:
        redis_client.config_set("maxmemory", 0)
    assert (store.quotes()["BTC-USD"].price, prices_of(store)) == (1, [1])


def test_put_quotes_of_a_batch_with_foreign_keys_stores_every_quote(redis_client: redis.Redis):
    """Foreign keys in the middle of a batch cost neither their neighbors nor their own asset a price."""
    store = RedisStore(redis_client)
    symbols = [f"S{number}" for number in range(1_001)]
    for symbol in symbols[::100]:
        redis_client.hset(keys.history(symbol, DAY), "a", "b")
    store.put_quotes([quote(symbol, "7") for symbol in symbols])
    assert store.quotes().keys() == {*symbols}
    pipe = redis_client.pipeline()
    for symbol in symbols:
        pipe.strlen(keys.history(symbol, DAY))
    assert set(pipe.execute()) == {RECORD_SIZE}


def test_put_quotes_of_several_writers_appends_exactly_what_was_accepted(redis_url: str, redis_client: redis.Redis):
    """Four workers with repeated and old quotes produce one history in which every price is newer than the last."""
    quotes = [quote(price=str(number + 1), fetched_at=T0 + number) for number in range(60)]

    def write(seed: int) -> None:
        random, store = Random(seed), RedisStore(connect(redis_url))
        for start in range(0, 60, 10):
            part: list[Quote] = quotes[start : start + 10] * 2
            random.shuffle(part)
            for each in part:
                store.put_quotes([each])

    writers = [threading.Thread(target=write, args=(seed,)) for seed in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    prices = prices_of(RedisStore(redis_client))
    assert prices == sorted(set(prices))
    assert prices[-1] == 60
    assert redis_client.strlen(HISTORY) == RECORD_SIZE * len(prices)
