"""Tests that damaged records in Redis do not affect any other record (D13)."""

from collections.abc import Iterable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
import redis

from financehub_shared.core.errors import CorruptDataError
from financehub_shared.core.kinds import AssetType
from financehub_shared.core.models import Asset, PriceHistory, PricePoint, Quality, Quarantined
from financehub_shared.market.quality.disputes import Claim, Dispute
from financehub_shared.market.quality.full_reads import FullRead
from financehub_shared.market.redis_store import RedisStore
from financehub_shared.redis import keys
from financehub_shared.redis.key_types import ASIDE
from support.damage import KINDS, RecordKind, damage_records
from support.market_data import T0, bars, indicators, news, quote

SYMBOLS = ["AAPL", "BTC-USD", "ETH-USD"]
kinds = pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)


class Reader(RedisStore):
    """A store that keeps the errors of the records that it could not read."""

    def __init__(self, client: "redis.Redis") -> None:
        self.errors: dict[str, CorruptDataError] = {}
        super().__init__(client, lambda error: self.errors.update({error.key: error}))

    def day_of(self, symbol: str) -> PriceHistory:
        """Return the history of one day."""
        return self.history(symbol, T0 - 60, T0 + 60)

    def read_all(self, symbols: Iterable[str]) -> dict[str, dict[Any, Any]]:
        """Return the results of all read methods by symbol or id."""
        names = list(symbols)
        return {
            "assets": {asset.symbol: asset for asset in self.assets(active_only=False)},
            "quotes": self.quotes(),
            "named quotes": self.quotes(names),
            "times of quotes": self.quotes_fetched_at(names),
            "history": {symbol: found for symbol in names if (found := self.day_of(symbol)).points},
            "disputes": self.disputes(),
            "bars": self.bars(names),
            "last days": self.last_days(names),
            "full reads": self.full_reads(names),
            "indicators": self.indicators(),
            "named indicators": self.indicators(names),
            "times of indicators": self.indicators_computed_at(names),
            "series": {symbol: found for symbol in names if (found := self.indicator_series(symbol))},
            "news": {item.id: item for item in self.news(limit=10_000)},
            "news of an asset": {item.id: item for item in self.news("AAPL")},
            "quarantine": {record.symbol: record for record in self.quarantined(limit=10_000)},
            "freshness": {provider: at for (_, provider), at in self.last_success().items()},
        }


@pytest.fixture
def reader(redis_client: "redis.Redis") -> Reader:
    """A store with a record of each kind for each of three assets."""
    reader = Reader(redis_client)
    reader.put_assets(Asset(symbol, AssetType.CRYPTO, provider_symbols={"kraken": "X"}) for symbol in SYMBOLS)
    reader.put_quotes(quote(symbol, note="n", quality=Quality.CORRECTED) for symbol in SYMBOLS)
    claims = {"binance": Claim(Decimal(2), T0, T0, T0)}
    reader.put_disputes({symbol: Dispute(T0, claims, quote(symbol), T0) for symbol in SYMBOLS})
    reader.put_bars(bars(symbol, range(20_000, 20_010)) for symbol in SYMBOLS)
    reader.put_full_reads(dict.fromkeys(SYMBOLS, FullRead(T0, T0 + 60)))
    reader.put_indicators(indicators(symbol, rsi_14=[1.0, 55.5]) for symbol in SYMBOLS)
    reader.put_quarantined(Quarantined("quote", symbol, "binance", "not-found: it", "{}", T0) for symbol in SYMBOLS)
    titles = dict(zip(SYMBOLS, ["Apple falls", "Bitcoin is up again", "Tea is hot"], strict=True))
    reader.put_news(replace(news(symbol, title, T0, "AAPL"), id=symbol) for symbol, title in titles.items())
    for symbol in SYMBOLS:
        reader.mark_success("news", symbol, T0)
    return reader


@kinds
def test_read_with_damaged_records_returns_all_others(reader: Reader, redis_client: "redis.Redis", kind: RecordKind):
    """Every read method returns all intact records unchanged, names each unreadable one, and does not write."""
    before = reader.read_all(SYMBOLS)
    victims = damage_records(redis_client, kind, "AAPL")
    stored = {symbol: kind.read(redis_client, symbol) for symbol in victims}
    found: set[str] = set()
    for method, records in reader.read_all([*SYMBOLS, *victims]).items():
        assert {symbol: records.get(symbol) for symbol in SYMBOLS} == before[method], method
        found.update(records.keys() & victims.keys())
    assert {symbol: kind.read(redis_client, symbol) for symbol in victims} == stored
    unnamed = {
        description
        for symbol, description in victims.items()
        if symbol not in found and kind.describe(symbol) not in reader.errors
    }
    assert unnamed <= {"empty"}  # an empty blob counts as absent
    assert reader.errors.keys() <= {kind.describe(symbol) for symbol in victims}
    for error in reader.errors.values():
        assert "removes it" in str(error) or "`financehub assets add" in str(error)
    unknown = [symbol for symbol, description in victims.items() if description.startswith("a_field_of_a_newer")]
    assert found.issuperset(unknown)


@kinds
def test_write_with_damaged_records_stores_all_others(reader: Reader, redis_client: "redis.Redis", kind: RecordKind):
    """New data of all assets is stored. This repairs the records that tasks replace, and all other records stay."""
    victims = damage_records(redis_client, kind, "AAPL", every=2 if kind.json_at else 1)
    stored = {symbol: kind.read(redis_client, symbol) for symbol in victims}
    everything = [*SYMBOLS, *victims]
    reader.put_quotes(quote(symbol, "2", T0 + 1) for symbol in everything)
    reader.put_disputes({symbol: Dispute(T0 + 1, {}, None, T0) for symbol in everything})
    reader.put_bars(bars(symbol, [20_011]) for symbol in everything)
    reader.put_full_reads(dict.fromkeys(everything, FullRead(T0 + 1, T0 + 60)))
    reader.put_indicators(indicators(symbol, rsi_14=[2.0]) for symbol in everything)
    reader.put_quarantined(Quarantined("quote", each, "binance", "not-found: it", "", T0 + 1) for each in everything)
    assert reader.put_news([news("n", "News of the day", T0, *SYMBOLS)]) == 1
    for symbol in everything:
        reader.mark_success("news", symbol, T0 + 1)
    records = reader.read_all(everything)
    assert {each.price for each in records["quotes"].values()} == {2}
    assert {each.values["rsi_14"] for each in records["indicators"].values()} == {2.0}
    assert {each.at for each in records["quarantine"].values()} == {T0 + 1}
    assert set(records["freshness"].values()) == {T0 + 1}
    assert set(records["last days"].values()) == {20_011}
    assert all(PricePoint(T0 + 1, 2) in each.points for each in records["history"].values())
    for method in ("quotes", "history", "disputes", "full reads", "indicators", "series", "quarantine", "freshness"):
        assert records[method].keys() == {*everything}, method
    assert len(reader.news("ETH-USD")) == 1
    is_kept = kind.name in {"asset", "news item", "bars"}
    for symbol, description in victims.items():
        if description != "empty":
            assert (kind.read(redis_client, symbol) == stored[symbol]) == is_kept, description


@kinds
def test_drop_older_with_damaged_records_deletes_all_others(
    reader: Reader, redis_client: "redis.Redis", kind: RecordKind
):
    """The cleanup deletes all old records. It keeps and names an unreadable record unless an index contains its age."""
    damage_records(redis_client, kind, "AAPL", every=2 if kind.json_at else 1)
    stored = reader.read_all([])
    reader.errors.clear()
    found: dict[str, CorruptDataError] = {}
    limit = T0 + 10
    counts = reader.drop_older(
        quotes_before=limit,
        history_before_day=30_000,
        bars_before_day=30_000,
        news_before=limit,
        quarantine_before=limit,
        dry_run=False,
        unreadable=found,
    )
    assert found == reader.errors
    assert bool(found) == (kind.name in {"quote", "dispute", "bars", "newest values", "news item"})
    assert min(counts.values()) >= 3
    left = {key.decode() for key in redis_client.keys("*")}
    # the index of known news items outlives the items themselves
    left -= {key for key in left if key.startswith((keys.NEWS_SEEN, keys.news_stories(0)[:-1]))}
    if kind.name not in {"quote", "dispute", "bars", "newest values", "series"}:
        assert left == {keys.ASSETS, keys.FRESHNESS, keys.FULL_READS}
    assert reader.news(limit=10_000) == reader.quarantined() == list(reader.quotes().values()) == []
    assert reader.bars(SYMBOLS) == reader.indicators(SYMBOLS) == {}
    assert {asset.symbol for asset in reader.assets(active_only=False)} == stored["assets"].keys()
    assert all(redis_client.hexists(*name.split(" ", 1)) for name in found if name.startswith(keys.QUOTES))


def test_history_of_another_type_is_set_aside_by_the_next_quote(reader: Reader, redis_client: "redis.Redis"):
    """It costs only the prices that it replaced: reads name it, the next quote is stored, and nothing is lost."""
    before, key = reader.read_all(SYMBOLS), KINDS["history"].key("BTC-USD")
    redis_client.delete(key)
    redis_client.rpush(key, "x")
    assert reader.day_of("BTC-USD").points == []
    assert reader.errors.keys() == {key}
    for _ in range(2):
        reader.put_quotes(quote(symbol, "2", T0 + 1) for symbol in SYMBOLS)
    assert [point.price for point in reader.day_of("BTC-USD").points] == [2]
    assert [point.price for point in reader.day_of("AAPL").points] == [float(before["quotes"]["AAPL"].price), 2]
    assert redis_client.lrange(f"{ASIDE}{key}", 0, -1) == [b"x"]


@pytest.mark.parametrize("tail", [b"x", b"12 bytes are", bytes(12), bytes(25)])
def test_history_with_foreign_bytes_loses_none_of_its_own_prices(
    reader: Reader, redis_client: "redis.Redis", tail: bytes
):
    """Bytes that another program appends are skipped and reported, and the prices before and after them are read."""
    key = KINDS["history"].key("AAPL")
    for price in (2, 3):
        redis_client.append(key, tail)
        reader.put_quotes([quote("AAPL", str(price), T0 + price)])
    assert [point.price for point in reader.day_of("AAPL").points] == [65_000.1, 2, 3]
    (error,) = reader.errors.values()
    assert f"{2 * -(-len(tail) // 12)} of its" in str(error)
    assert redis_client.strlen(key) % 12 == 0


def test_history_key_without_a_day_is_named_by_the_cleanup(reader: Reader, redis_client: "redis.Redis"):
    """The cleanup deletes keys by the day in their name, and leaves a key whose name is not ours."""
    redis_client.set(name := keys.history("AAPL", "x"), "1")
    limits = {"quotes_before": 0.0, "bars_before_day": 0, "news_before": 0.0, "quarantine_before": 0.0}
    assert reader.drop_older(**limits, history_before_day=30_000, dry_run=False)["history"] == 3  # type: ignore[arg-type]
    assert reader.errors.keys() == {name}
    assert redis_client.keys(keys.history("*", "*")) == [name.encode()]


@pytest.mark.parametrize("name", ["bars", "series"])
def test_read_of_a_key_of_another_type_returns_all_others(reader: Reader, redis_client: "redis.Redis", name: str):
    """A key that is not a string does not fail the batch that reads or writes it, and is named."""
    before, key = reader.read_all(SYMBOLS), KINDS[name].key("VICTIM")
    redis_client.rpush(key, "x")
    assert reader.read_all([*SYMBOLS, "VICTIM"]) == before
    assert reader.errors.keys() == {key}
    reader.put_bars(bars(symbol, [20_011]) for symbol in [*SYMBOLS, "VICTIM"])
    assert reader.last_days(SYMBOLS) == dict.fromkeys(SYMBOLS, 20_011)
    limits = {"quotes_before": 0.0, "news_before": 0.0, "quarantine_before": 0.0}
    assert reader.drop_older(**limits, history_before_day=0, bars_before_day=20_011, dry_run=False)["bars"] == 30  # type: ignore[arg-type]
    assert redis_client.type(key) == b"list"


def test_news_with_an_index_of_another_type_stores_and_returns_the_rest(reader: Reader, redis_client: "redis.Redis"):
    """A damaged index of one asset does not affect the news of other assets."""
    redis_client.set(keys.news_by_asset("VICTIM"), "x")
    item = news("new", "Ether and Badcoin fall", T0, "VICTIM", "ETH-USD")
    assert reader.put_news([item]) == 1
    assert reader.news("ETH-USD") == [item]
    assert reader.news("VICTIM") == []
    assert reader.errors.keys() == {keys.news_by_asset("VICTIM")}


NEWER = b'{"type":"option","name":"","currency":"USD","strike":"100"}'


def test_reconcile_assets_with_unreadable_records_repairs_only_declared_damage(
    reader: Reader, redis_client: "redis.Redis"
):
    """A damaged record of a declared asset is written again. Others stay, and so does a newer release's record."""
    for symbol in ("DAMAGED", "BY-HAND", "NEWER", "NEWER2"):
        redis_client.hset(keys.ASSETS, symbol, b"?" if symbol in {"DAMAGED", "BY-HAND"} else NEWER)
    declared = [Asset("DAMAGED", AssetType.STOCK), Asset("NEWER", AssetType.STOCK)]
    assert reader.reconcile_assets(declared) == (1, 0)
    assert reader.reconcile_assets(declared) == (0, 0)
    assert {asset.symbol for asset in reader.assets()} == {*SYMBOLS, "DAMAGED"}
    assert redis_client.hmget(keys.ASSETS, "BY-HAND", "NEWER", "NEWER2") == [b"?", NEWER, NEWER]
    assert reader.reconcile_assets([]) == (0, 1)
    assert redis_client.hmget(keys.ASSETS, "BY-HAND", "NEWER", "NEWER2") == [b"?", NEWER, NEWER]


def test_put_bars_over_a_newer_format_keeps_it(reader: Reader, redis_client: "redis.Redis"):
    """A blob in the format of a newer release is neither read nor replaced (S6)."""
    intact = KINDS["bars"].read(redis_client, "BTC-USD")
    assert intact is not None
    KINDS["bars"].write(redis_client, "BTC-USD", newer := b"\x02" + intact[1:])
    found: dict[str, CorruptDataError] = {}
    reader.put_bars([bars("BTC-USD", [20_011]), bars("AAPL", [20_011])], unreadable=found)
    assert list(found) == ["BTC-USD"]
    assert reader.last_days(SYMBOLS) == {"AAPL": 20_011, "ETH-USD": 20_009}
    assert KINDS["bars"].read(redis_client, "BTC-USD") == newer


def test_news_with_unreadable_items_is_filled_up_to_the_limit(reader: Reader, redis_client: "redis.Redis"):
    """Items that cannot be read do not take the place of others (S7)."""
    redis_client.hset(keys.NEWS, reader.news(limit=1)[0].id, "?")
    assert len(reader.news(limit=2)) == 2
    assert len(reader.news(limit=3)) == 2


def test_assets_with_an_invalid_symbol_leave_it_out(reader: Reader, redis_client: "redis.Redis"):
    """A symbol that could make a request for many symbols fail is named and left out."""
    good = redis_client.hget(keys.ASSETS, "AAPL")
    for symbol in (b"\xff\xfe", b"A B", b'"', b"", "Ä".encode(), b"A\n"):
        redis_client.hset(keys.ASSETS, symbol, good)
    assert [asset.symbol for asset in reader.assets()] == SYMBOLS
    assert len(reader.errors) == 6


@pytest.mark.parametrize(
    ("name", "command"),
    [
        (b"", "`redis-cli HDEL financehub:assets ''`"),
        (b"it's", """`redis-cli HDEL financehub:assets 'it'"'"'s'`"""),
        (b"A\x00", "`redis-cli --no-raw HKEYS financehub:assets`"),
        (b"\xff\xfe", "`redis-cli --no-raw HKEYS financehub:assets`"),
    ],
)
def test_assets_with_any_name_are_reported_with_a_command_that_removes_only_them(
    reader: Reader, redis_client: "redis.Redis", name: bytes, command: str
):
    """D13: the command for a record whose name is empty or cannot be typed cannot affect any other record."""
    redis_client.hset(keys.ASSETS, name, b"{}")
    assert len(reader.assets()) == 3
    (error,) = reader.errors.values()
    assert command in str(error)
    assert "UNLINK" not in str(error)


def test_drop_older_with_a_name_that_is_not_utf_8_deletes_the_record(reader: Reader, redis_client: "redis.Redis"):
    """D13: an old quote under any name is deleted, and a dry run counts it."""
    redis_client.hset(keys.QUOTES, b"\xff", redis_client.hget(keys.QUOTES, "AAPL"))
    limits = {
        "quotes_before": T0 + 1,
        "history_before_day": 0,
        "bars_before_day": 0,
        "news_before": 0,
        "quarantine_before": 0,
    }
    assert reader.drop_older(**limits, dry_run=True)["quotes"] == 4
    assert reader.drop_older(**limits, dry_run=False)["quotes"] == 4
    assert not redis_client.exists(keys.QUOTES)


def test_quarantine_with_a_name_that_is_not_utf_8_is_reported_and_cleared(reader: Reader, redis_client: "redis.Redis"):
    """D13: a damaged field of the quarantine is named, and can be deleted like any other field."""
    redis_client.hset(keys.quarantine("quote"), b"\xff", b"?")
    redis_client.zadd(keys.quarantine_by_time("quote"), {b"\xff": T0})
    others = len(reader.quarantined())
    assert any("HKEYS" in str(error) for error in reader.errors.values())
    assert reader.clear_quarantined() == others + 1
    assert not redis_client.exists(keys.quarantine("quote"))


def test_drop_older_removes_the_stream_of_earlier_releases_once_it_is_old(reader: Reader, redis_client: "redis.Redis"):
    """The stream of the earlier quarantine is not read. It is deleted when its newest record is past the retention."""
    redis_client.xadd(keys.QUARANTINE_STREAM, {"kind": "quote"}, id="1000000-0")
    limits = {"quotes_before": 0.0, "news_before": 0.0, "history_before_day": 0, "bars_before_day": 0}
    for before, is_left in ((999.0, 1), (1_001.0, 0)):
        assert reader.quarantined(kind="quote", symbol="NONE") == []
        reader.drop_older(**limits, quarantine_before=before, dry_run=False)  # type: ignore[arg-type]
        assert redis_client.exists(keys.QUARANTINE_STREAM) == is_left


#: Every key that many assets share, and that holds market data.
SHARED_KEYS = (
    *(keys.ASSETS, keys.QUOTES, keys.DISPUTES, keys.FULL_READS, keys.INDICATORS, keys.FRESHNESS),
    *(keys.NEWS, keys.NEWS_BY_TIME, keys.NEWS_SEEN),
    *(keys.QUARANTINE_KINDS, keys.quarantine("quote"), keys.quarantine_by_time("quote")),
)


@pytest.mark.parametrize("key", SHARED_KEYS)
def test_shared_key_of_another_type_costs_only_its_own_records_and_is_replaced(
    reader: Reader, redis_client: "redis.Redis", key: str
):
    """Reads and the cleanup continue and name the key. The next write of its records replaces it (S9)."""
    before = reader.read_all(SYMBOLS)
    reader.put_quarantined([Quarantined("bar", "AAPL", "yahoo", "scale: it", "", T0)])
    redis_client.delete(key)
    redis_client.set(key, "x")
    found: dict[str, CorruptDataError] = {}
    counts = reader.drop_older(
        quotes_before=0,
        history_before_day=0,
        bars_before_day=20_001,
        news_before=0,
        quarantine_before=0,
        dry_run=False,
        unreadable=found,
    )
    assert counts["bars"] == 3
    assert found.keys() <= {key}
    after = reader.read_all(SYMBOLS)
    assert reader.errors.keys() == {key} or (key == keys.NEWS_SEEN and not reader.errors)
    assert all("is a key of another type" in str(error) for error in reader.errors.values())
    lost = {method for method, records in after.items() if records.keys() != before[method].keys()}
    assert len(lost) <= 3
    assert [record.kind for record in reader.quarantined(kind="bar")] == ["bar"]
    reader.put_assets(asset for asset in before["assets"].values())
    reader.put_quotes(quote(symbol) for symbol in SYMBOLS)
    reader.put_disputes(before["disputes"])
    reader.put_full_reads(before["full reads"])
    reader.put_indicators(indicators(symbol, rsi_14=[1.0, 55.5]) for symbol in SYMBOLS)
    reader.put_quarantined(Quarantined("quote", symbol, "binance", "not-found: it", "{}", T0) for symbol in SYMBOLS)
    assert reader.put_news([news("n", "News of the day", T0, "AAPL")]) == 1
    for symbol in SYMBOLS:
        reader.mark_success("news", symbol, T0)
    reader.errors.clear()
    repaired = reader.read_all(SYMBOLS)
    assert reader.errors == {}
    assert "News of the day" in {item.title for item in repaired["news"].values()}
    assert len(reader.quarantined()) == 4
    for method in set(before) - {"news", "news of an asset", "quarantine"}:
        assert repaired[method].keys() == before[method].keys(), method
    assert reader.remove_assets(["AAPL"]) == 1
