"""Tests of `RedisStore` with contention, damaged data and failures of a real Redis, and of its round trips."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
import redis

from financehub_shared.core.errors import StoreUnavailableError
from financehub_shared.core.models import NewsItem, Quarantined
from financehub_shared.market.dedupe.identity import NewsIdentity, identify, story_bucket
from financehub_shared.market.dedupe.known_news import KnownNews
from financehub_shared.market.news_index import SEEN_SECONDS, STORY_SECONDS
from financehub_shared.market.redis_store import RedisStore
from financehub_shared.market.unreadable import UnreadableLog
from financehub_shared.redis import keys
from financehub_shared.redis.client import connect
from support.market_data import T0, bars, indicators, news, quote
from support.redis_server import RedisServer

pytestmark = pytest.mark.faults


class CountingConnection(redis.Connection):
    """Counts writes to the socket, which are one per command and one per pipeline."""

    sent = 0

    def send_packed_command(self, command: object, check_health: bool = True) -> None:
        type(self).sent += 1
        super().send_packed_command(command, check_health)


def round_trips(url: str, work: Callable[[RedisStore], object]) -> int:
    """Return the number of round trips to Redis during `work`."""
    pool = redis.ConnectionPool.from_url(url, connection_class=CountingConnection)
    client = redis.Redis(connection_pool=pool)
    for connection in [pool.get_connection() for _ in range(2)]:
        pool.release(connection)  # Connect now, so that handshakes are not counted.
    CountingConnection.sent = 0
    work(RedisStore(client))
    client.close()
    return CountingConnection.sent


TWO_THOUSAND = [f"S{number}" for number in range(2_000)]
THOUSAND = TWO_THOUSAND[:1_000]


@pytest.mark.parametrize(
    ("work", "max_round_trips"),
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
        pytest.param(lambda store: store.put_news(news(title, title) for title in THOUSAND[:500]), 3, id="put news"),
        pytest.param(lambda store: store.news(limit=500), 2, id="news"),
    ],
)
def test_store_operation_on_a_thousand_symbols_takes_few_round_trips(
    redis_url: str, work: Callable[[RedisStore], object], max_round_trips: int
):
    """An operation on a thousand symbols takes a few round trips and never one per symbol."""
    assert 1 <= round_trips(redis_url, work) <= max_round_trips


def test_last_days_do_not_read_whole_histories(redis_client: redis.Redis):
    """Reading the newest days of 100 histories transfers fewer bytes than one history."""
    store = RedisStore(redis_client)
    symbols = [f"S{number}" for number in range(100)]
    store.put_bars(bars(symbol, range(500)) for symbol in symbols)
    before = redis_client.info("stats")["total_net_output_bytes"]
    assert set(store.last_days(symbols).values()) == {499}
    assert redis_client.info("stats")["total_net_output_bytes"] - before < 22_000


def test_put_bars_by_concurrent_writers_loses_no_bar(redis_url: str):
    """Eight writers that merge into one asset at the same time leave the union of their bars."""
    threads = [
        threading.Thread(target=RedisStore(connect(redis_url)).put_bars, args=([bars("AAPL", range(first, 160, 8))],))
        for first in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert list(RedisStore(connect(redis_url)).bars(["AAPL"])["AAPL"].days) == list(range(160))


def test_put_quarantined_by_concurrent_writers_counts_every_rejection(redis_url: str):
    """Eight workers that reject the same two assets at the same time count all rejections (D12)."""
    rejections = [
        Quarantined("quote", symbol, "yahoo", "jump: up", "", T0 + number)
        for number in range(25)
        for symbol in ("AAPL", "VOD.L")
    ]

    def reject() -> None:
        store = RedisStore(connect(redis_url))
        for start in range(0, 50, 10):
            store.put_quarantined(rejections[start : start + 10])

    threads = [threading.Thread(target=reject) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    records = RedisStore(connect(redis_url)).quarantined()
    assert {(record.symbol, record.count, record.first_at, record.at) for record in records} == {
        ("AAPL", 200, T0, T0 + 24),
        ("VOD.L", 200, T0, T0 + 24),
    }


class OvertakenStore(RedisStore):
    """A store in which another writer writes once between its read of the known news and its own write."""

    other_writer: Callable[[], object] | None = None

    def _known(self, batch: Sequence[NewsItem], identities: Sequence[NewsIdentity], oldest: float) -> KnownNews:
        known = super()._known(batch, identities, oldest)
        if self.other_writer is not None:
            write, self.other_writer = self.other_writer, None
            write()
        return known


def test_put_news_by_two_writers_stores_a_story_once(redis_client: redis.Redis):
    """A writer whose data changed in the meantime decides again, and stores only the items that are still new."""
    story = news("1", "Bitcoin tops $70,000 as ETF inflows surge")
    duplicate, new = news("2", f"{story.title}!"), news("3", "Tea is hot")
    store = OvertakenStore(redis_client)
    store.other_writer = lambda: RedisStore(redis_client).put_news([story])
    assert store.put_news([duplicate, new]) == 1
    assert {item.title for item in store.news()} == {story.title, new.title}


def test_drop_older_of_all_news_leaves_only_what_recognizes_them(redis_client: redis.Redis):
    """N14: after all news items are deleted, only the keys remain that recognize them while a feed still lists them."""
    store = RedisStore(redis_client)
    told = news("2", "Older hats cost more in Paris", T0 - 2)
    store.put_news([news("1", "Old hat", T0 - 1, "AAPL", guid="1"), told])
    store.drop_older(
        quotes_before=T0, history_before_day=0, bars_before_day=0, news_before=T0, quarantine_before=T0, dry_run=False
    )
    stories = keys.news_stories(story_bucket(identify(told), T0))
    assert {key.decode() for key in redis_client.keys("financehub:*")} == {keys.NEWS_SEEN, stories}
    assert 0 < redis_client.ttl(stories) <= STORY_SECONDS
    store.put_news([replace(news("3", "New hat", T0), fetched_at=T0 + SEEN_SECONDS)])
    assert redis_client.zcard(keys.NEWS_SEEN) == 1


def test_unreadable_record_is_logged_once_an_hour(redis_client: redis.Redis, capsys: pytest.CaptureFixture[str]):
    """The log names an unreadable record and how to repair it once an hour, and not at each of many reads."""
    now = [0.0]
    store = RedisStore(redis_client, UnreadableLog(lambda: now[0]))
    redis_client.hset(keys.QUOTES, "BAD", "?")
    for _ in range(5):
        store.quotes()
        now[0] += 1_000
    logged = [line for line in capsys.readouterr().out.splitlines() if "record_unreadable" in line]
    assert len(logged) == 2
    assert "`redis-cli HDEL financehub:quotes BAD` removes it now" in logged[0]


@pytest.mark.parametrize("damage", [b"?", b"7", b"7" * 31, b"", b"7" * 31 + b"x{}"])
def test_quotes_fetched_at_leaves_out_damaged_quotes(redis_client: redis.Redis, damage: bytes):
    """A quote without a complete prefix has no timestamp, and the timestamps of the other quotes are returned."""
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
def test_indicators_computed_at_leaves_out_damaged_records(redis_client: redis.Redis, damage: bytes):
    """An unreadable record has no timestamp, and the timestamps of the other records are returned."""
    store = RedisStore(redis_client)
    store.put_indicators([indicators("AAPL")])
    redis_client.hset(keys.INDICATORS, "BAD", damage)
    assert store.indicators_computed_at(["BAD", "AAPL"]) == {"AAPL": T0}


def test_drop_older_keeps_a_quote_written_meanwhile(redis_client: redis.Redis):
    """The cleanup deletes the value that it examined and not a newer one."""
    store = RedisStore(redis_client)
    store.put_quotes([quote("AAPL", fetched_at=T0 - 1)])
    examined = redis_client.hgetall(keys.QUOTES)
    store.put_quotes([quote("AAPL", fetched_at=T0 + 1)])
    assert store._delete_unchanged(keys.QUOTES, {"AAPL": examined[b"AAPL"]}) == []
    assert store.quotes()["AAPL"].fetched_at == T0 + 1


def test_store_with_redis_unavailable_raises_and_recovers(redis_server: Callable[..., RedisServer]):
    """A stopped Redis causes `StoreUnavailableError` with its cause, and the same store works when Redis is back."""
    server = redis_server()
    store = RedisStore(connect(server.url, retries=0))
    store.put_quotes([quote()])
    server.kill()
    with pytest.raises(StoreUnavailableError, match="put_quotes: ConnectionError") as caught:
        store.put_quotes([quote()])
    assert isinstance(caught.value.__cause__, redis.ConnectionError)
    server.start()
    assert list(store.quotes()) == ["BTC-USD"]


def test_store_with_a_hung_redis_raises_after_the_timeout(redis_server: Callable[..., RedisServer]):
    """A Redis that accepts connections but does not reply delays the caller until the timeout."""
    server = redis_server()
    store = RedisStore(connect(server.url, timeout=2))
    store.put_quotes([quote()])
    server.hang()
    with pytest.raises(StoreUnavailableError, match="TimeoutError"):
        store.quotes()
    server.resume()
    assert list(store.quotes()) == ["BTC-USD"]


def test_store_with_a_full_redis_raises_and_still_reads(redis_server: Callable[..., RedisServer]):
    """Writing to a Redis without memory under `noeviction` raises an error, and reading still works."""
    server = redis_server()
    store = RedisStore(server.client())
    store.put_quotes([quote()])
    server.client().config_set("maxmemory", "1")
    with pytest.raises(StoreUnavailableError, match="command not allowed when used memory"):
        store.put_quotes([quote(fetched_at=T0 + 1)])
    assert store.quotes()["BTC-USD"].fetched_at == T0


def test_store_with_a_read_only_replica_raises(redis_server: Callable[..., RedisServer]):
    """Writing to a Redis that has become a replica raises an error instead of losing the write."""
    server = redis_server()
    server.client().replicaof("127.0.0.1", 1)
    store = RedisStore(server.client())
    with pytest.raises(StoreUnavailableError, match="ReadOnlyError"):
        store.mark_success("news", "rss", T0)
