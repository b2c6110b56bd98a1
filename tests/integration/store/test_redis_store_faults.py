"""`RedisStore` under contention, damage and failure of a real Redis; and how often it goes there."""

import threading
from collections.abc import Callable, Sequence

import pytest
import redis

from financehub_shared.core.errors import CorruptDataError, StoreUnavailableError
from financehub_shared.core.models import NewsItem
from financehub_shared.market.news_dedupe import KnownNews
from financehub_shared.market.redis_store import RedisStore
from financehub_shared.redis import keys
from financehub_shared.redis.client import connect
from support.redis_server import RedisServer
from support.store_contract import T0, bars, indicators, news, quote


class CountingConnection(redis.Connection):
    """Counts writes to the socket: one for a command, one for a pipeline."""

    sent = 0

    def send_packed_command(self, command: object, check_health: bool = True) -> None:
        type(self).sent += 1
        super().send_packed_command(command, check_health)


def round_trips(url: str, work: Callable[[RedisStore], object]) -> int:
    """How often `work` goes to Redis and back."""
    pool = redis.ConnectionPool.from_url(url, connection_class=CountingConnection)
    client = redis.Redis(connection_pool=pool)
    for connection in [pool.get_connection() for _ in range(2)]:
        pool.release(connection)  # connected: handshakes are not counted
    CountingConnection.sent = 0
    work(RedisStore(client))
    client.close()
    return CountingConnection.sent


TWO_THOUSAND = [f"S{number}" for number in range(2_000)]
THOUSAND = TWO_THOUSAND[:1_000]


@pytest.mark.parametrize(
    ("work", "at_most"),
    [
        pytest.param(lambda store: store.put_quotes(map(quote, TWO_THOUSAND)), 1, id="put quotes"),
        pytest.param(lambda store: store.quotes(THOUSAND), 1, id="quotes"),
        pytest.param(lambda store: store.quotes(), 1, id="all quotes"),
        pytest.param(lambda store: store.put_bars(bars(symbol, [1]) for symbol in THOUSAND), 20, id="put bars"),
        pytest.param(lambda store: store.bars(THOUSAND), 10, id="bars"),
        pytest.param(lambda store: store.last_days(THOUSAND), 2, id="last days"),
        pytest.param(lambda store: store.put_indicators(map(indicators, THOUSAND)), 10, id="put indicators"),
        pytest.param(lambda store: store.indicators(THOUSAND), 1, id="indicators"),
        pytest.param(lambda store: store.quotes_fetched_at(THOUSAND), 2, id="times of quotes"),
        pytest.param(lambda store: store.indicators_computed_at(THOUSAND), 2, id="times of indicators"),
        pytest.param(lambda store: store.put_news(news(each, each) for each in THOUSAND[:500]), 3, id="put news"),
        pytest.param(lambda store: store.news(limit=500), 2, id="news"),
    ],
)
def test_round_trips_are_bounded(redis_url: str, work: Callable[[RedisStore], object], at_most: int):
    """A thousand symbols cost a handful of round trips, never one a symbol."""
    assert 1 <= round_trips(redis_url, work) <= at_most


def test_last_days_do_not_read_the_blobs(redis_client: redis.Redis):
    """Knowing the newest days of 100 histories moves less than one history's bytes."""
    store = RedisStore(redis_client)
    symbols = [f"S{number}" for number in range(100)]
    store.put_bars(bars(symbol, range(500)) for symbol in symbols)
    before = redis_client.info("stats")["total_net_output_bytes"]
    assert set(store.last_days(symbols).values()) == {499}
    assert redis_client.info("stats")["total_net_output_bytes"] - before < 22_000


def test_concurrent_writers_of_one_history_lose_no_bar(redis_url: str):
    """Eight writers merging into one asset at once leave the union of their bars."""
    threads = [
        threading.Thread(target=RedisStore(connect(redis_url)).put_bars, args=([bars("AAPL", range(first, 160, 8))],))
        for first in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert list(RedisStore(connect(redis_url)).bars(["AAPL"])["AAPL"].days) == list(range(160))


class Overtaken(RedisStore):
    """A store that another writer overtakes between its reading of what is known and its writing, once."""

    other: Callable[[], object] | None = None

    def _known(self, batch: Sequence[NewsItem]) -> KnownNews:
        known = super()._known(batch)
        if self.other is not None:
            other, self.other = self.other, None
            other()
        return known


def test_a_story_that_two_writers_bring_at_once_is_stored_once(redis_client: redis.Redis):
    """Who was overtaken decides again, and stores only what is new then."""
    story = news("1", "Bitcoin tops $70,000 as ETF inflows surge")
    same, else_ = news("2", f"{story.title}!"), news("3", "Tea is hot")
    store = Overtaken(redis_client)
    store.other = lambda: RedisStore(redis_client).put_news([story])
    assert store.put_news([same, else_]) == 1
    assert {item.title for item in store.news()} == {story.title, else_.title}


def test_dropped_news_leave_no_key_behind(redis_client: redis.Redis):
    """When the last article is gone, so is every index of it."""
    store = RedisStore(redis_client)
    store.put_news([news("1", "Old hat", T0 - 1, "AAPL", guid="1"), news("2", "Older hat", T0 - 2)])
    store.drop_older(quotes_before=T0, bars_before_day=0, news_before=T0, dry_run=False)
    assert redis_client.keys("financehub:*") == []


@pytest.mark.parametrize(
    ("damage", "read"),
    [
        pytest.param(
            lambda client: client.setrange(keys.bars("AAPL"), 100, b"\xff\xfe"),
            lambda store: store.bars(["AAPL"]),
            id="bars",
        ),
        pytest.param(
            lambda client: client.set(keys.bars("AAPL"), b"short"),
            lambda store: store.put_bars([bars("AAPL", [9])]),
            id="merge into bars",
        ),
        pytest.param(
            lambda client: client.append(keys.indicator_series("AAPL"), b"x"),
            lambda store: store.indicator_series("AAPL"),
            id="series",
        ),
        pytest.param(
            lambda client: client.hset(keys.INDICATORS, "AAPL", '{"values":[1]}'),
            lambda store: store.indicators(),
            id="last values",
        ),
        pytest.param(
            lambda client: client.hset(keys.QUOTES, "AAPL", "0" * 32 + '{"price":"x"}'),
            lambda store: store.quotes(),
            id="quote",
        ),
        pytest.param(
            lambda client: client.hset(keys.QUOTES, "AAPL", "not even a prefix"),
            lambda store: store.quotes(["AAPL"]),
            id="quote without prefix",
        ),
        pytest.param(
            lambda client: client.hset(keys.ASSETS, "AAPL", '{"type":"bond","name":"","currency":"USD"}'),
            lambda store: store.assets(),
            id="asset",
        ),
        pytest.param(
            lambda client: [client.hset(keys.NEWS, id, '{"title":1}') for id in client.hkeys(keys.NEWS)],
            lambda store: store.news(),
            id="article",
        ),
        pytest.param(
            lambda client: client.xadd(keys.QUARANTINE, {"kind": "quote"}),
            lambda store: store.quarantined(),
            id="quarantine",
        ),
    ],
)
def test_damaged_records_are_an_error_that_names_the_key(
    redis_client: redis.Redis, damage: Callable[[redis.Redis], object], read: Callable[[RedisStore], object]
):
    """What cannot be read is never passed on as data or as absence."""
    store = RedisStore(redis_client)
    store.put_bars([bars("AAPL", range(10))])
    store.put_indicators([indicators("AAPL")])
    store.put_news([news("1", "Copper falls")])
    damage(redis_client)
    with pytest.raises(CorruptDataError, match=r"^financehub:.*delete it"):
        read(store)


def test_retention_steps_over_what_it_cannot_read(redis_client: redis.Redis, capsys: pytest.CaptureFixture[str]):
    """One damaged record does not keep the house from being cleaned, and is named in the log."""
    store = RedisStore(redis_client)
    store.put_quotes([quote("OLD", fetched_at=T0 - 1)])
    store.put_bars([bars("OLD", [1, 2])])
    redis_client.hset(keys.QUOTES, "BAD", "?")
    redis_client.set(keys.bars("BAD"), b"short")
    redis_client.hset(keys.INDICATORS, "BAD", "?")
    counts = store.drop_older(quotes_before=T0, bars_before_day=10, news_before=T0, dry_run=False)
    assert counts == {"quotes": 1, "bars": 2, "indicators": 0, "news": 0}
    assert capsys.readouterr().out.count("unreadable_record_kept") == 3


@pytest.mark.parametrize("damage", [b"?", b"7", b"7" * 31, b"", b"7" * 31 + b"x{}"])
def test_the_time_of_a_damaged_quote_is_left_out(redis_client: redis.Redis, damage: bytes):
    """A record without a whole prefix has no time, and the times of the others are told."""
    store = RedisStore(redis_client)
    store.put_quotes([quote("AAPL")])
    redis_client.hset(keys.QUOTES, "BAD", damage)
    assert store.quotes_fetched_at(["BAD", "AAPL"]) == {"AAPL": T0}


@pytest.mark.parametrize(
    "damage",
    [
        b"?",
        b"",
        b"[]",
        b"{}",
        b'{"engine": "talib"}',
        b'{"engine": "talib", "computed_at": "noon", "last_day": 1, "values": {}}',
        b'{"engine": "talib", "computed_at": null, "last_day": 1, "values": {}}',
    ],
)
def test_the_time_of_damaged_indicators_is_left_out(redis_client: redis.Redis, damage: bytes):
    """A record that cannot be read has no time, and the times of the others are told."""
    store = RedisStore(redis_client)
    store.put_indicators([indicators("AAPL")])
    redis_client.hset(keys.INDICATORS, "BAD", damage)
    assert store.indicators_computed_at(["BAD", "AAPL"]) == {"AAPL": T0}


def test_a_quote_written_during_the_clean_up_stays(redis_client: redis.Redis):
    """The clean-up deletes the value it judged, not the one that came meanwhile."""
    store = RedisStore(redis_client)
    store.put_quotes([quote("AAPL", fetched_at=T0 - 1)])
    judged = redis_client.hgetall(keys.QUOTES)
    store.put_quotes([quote("AAPL", fetched_at=T0 + 1)])
    assert store._delete_unchanged(keys.QUOTES, {"AAPL": judged[b"AAPL"]}) == []
    assert store.quotes()["AAPL"].fetched_at == T0 + 1


def test_a_redis_that_is_away_is_one_error_with_the_cause(redis_server: Callable[..., RedisServer]):
    """A dead Redis raises `StoreUnavailableError`, and the same store works when it is back."""
    server = redis_server()
    store = RedisStore(connect(server.url, retries=0))
    store.put_quotes([quote()])
    server.kill()
    with pytest.raises(StoreUnavailableError, match="put_quotes: ConnectionError") as caught:
        store.put_quotes([quote()])
    assert isinstance(caught.value.__cause__, redis.ConnectionError)
    server.start()
    assert list(store.quotes()) == ["BTC-USD"]


def test_a_hung_redis_is_an_error_after_the_timeout(redis_server: Callable[..., RedisServer]):
    """A Redis that accepts and never answers does not hold the caller."""
    server = redis_server()
    store = RedisStore(connect(server.url, timeout=2))
    store.put_quotes([quote()])
    server.hang()
    with pytest.raises(StoreUnavailableError, match="TimeoutError"):
        store.quotes()
    server.resume()
    assert list(store.quotes()) == ["BTC-USD"]


def test_a_full_redis_refuses_loudly_and_keeps_what_it_has(redis_server: Callable[..., RedisServer]):
    """Out of memory under `noeviction` is an error; reading goes on."""
    server = redis_server()
    store = RedisStore(server.client())
    store.put_quotes([quote()])
    server.client().config_set("maxmemory", "1")
    with pytest.raises(StoreUnavailableError, match="command not allowed when used memory"):
        store.put_quotes([quote(fetched_at=T0 + 1)])
    assert store.quotes()["BTC-USD"].fetched_at == T0


def test_a_read_only_replica_refuses_loudly(redis_server: Callable[..., RedisServer]):
    """A Redis demoted to replica is an error, not a lost write."""
    server = redis_server()
    server.client().replicaof("127.0.0.1", 1)
    store = RedisStore(server.client())
    with pytest.raises(StoreUnavailableError, match="ReadOnlyError"):
        store.mark_success("news", "rss", T0)
