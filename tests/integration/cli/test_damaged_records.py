"""Tests of the command line with stored records that cannot be read (D13)."""

import json
import time
from dataclasses import replace
from typing import Any

import pytest
import redis

from financehub_shared.core.models import Quarantined
from financehub_shared.market.redis_store import RedisStore
from financehub_shared.redis import keys
from support.damage import KINDS, RecordKind, damage_records
from support.market_data import bars, indicators, news, quote

COMMANDS = {
    "asset": ["assets", "list", "--all"],
    "quote": ["quotes"],
    "bars": ["bars", "--last", "3"],
    "newest values": ["indicators"],
    "series": ["indicators", "--last", "3"],
    "news item": ["news", "--limit", "1000"],
    "quarantine record": ["quarantine", "--limit", "10000"],
    "freshness mark": ["status"],
}
NEWER = b'{"type":"option","name":"","currency":"USD"}'


@pytest.fixture
def full_store(store: RedisStore) -> RedisStore:
    """A store with a record of each kind for AAPL."""
    now = time.time()
    store.put_quotes([quote("AAPL", fetched_at=now)])
    store.put_bars([bars("AAPL", range(20_000, 20_010))])
    store.put_indicators([indicators("AAPL", rsi_14=[1.0, 55.5])])
    store.put_news([replace(news("1", "Apple falls", now, "AAPL"), id="AAPL")])
    store.put_quarantined([Quarantined("quote", "AAPL", "binance", "not-found: it", "{}", now)])
    store.mark_success("news", "AAPL", now)
    return store


@pytest.mark.parametrize("kind", [KINDS[name] for name in COMMANDS], ids=COMMANDS)
def test_command_with_damaged_records_shows_all_others(
    invoke: Any, full_store: RedisStore, redis_client: "redis.Redis", kind: RecordKind
):
    """A command names each unreadable record once on stderr with the repair, shows all others, and exits with 1."""
    command = COMMANDS[kind.name]
    before = invoke(*command, "--json")
    victims = damage_records(redis_client, kind, "AAPL", every=5 if kind.json_at else 1)
    if kind.name not in {"asset", "news item", "quarantine record", "freshness mark"}:
        intact = redis_client.hget(keys.ASSETS, "AAPL")
        redis_client.hset(keys.ASSETS, mapping=dict.fromkeys(victims, intact))
    if kind.name == "series":
        redis_client.hset(keys.INDICATORS, mapping=dict.fromkeys(victims, redis_client.hget(keys.INDICATORS, "AAPL")))
    described = {kind.describe(symbol) for symbol in victims}
    for as_json in (False, True):
        result = invoke(*command, *["--json"] * as_json)
        assert result.exit_code == 1, result.exception
        notes = [line for line in result.stderr.splitlines() if line.split(": ")[1] in described]
        assert len(notes) == len(set(notes)) >= 10
        assert all("removes it" in line or "`financehub assets add" in line for line in notes)
        assert result.stdout.replace("\n", "").isprintable()
    shown, intact_rows = json.loads(result.stdout), json.loads(before.stdout)
    if kind.name == "freshness mark":
        shown, intact_rows = shown["freshness"], intact_rows["freshness"]
    names = {"news item": "id", "freshness mark": "provider"}
    by_name = {row[names.get(kind.name, "symbol")]: row for row in shown}
    for row in intact_rows:
        same = by_name[row[names.get(kind.name, "symbol")]]
        assert {key: value for key, value in same.items() if key != "age_seconds"} == {
            key: value for key, value in row.items() if key != "age_seconds"
        }


@pytest.mark.parametrize(
    ("command", "kind"), [("quotes", "quote"), ("bars", "bars"), ("indicators", "newest values"), ("quotes", "asset")]
)
def test_command_with_an_unreadable_named_symbol_shows_the_others_and_exits_with_1(
    invoke: Any, full_store: RedisStore, redis_client: "redis.Redis", command: str, kind: str
):
    """The exit code is 1 if a named symbol's data cannot be read. The note names the record instead of missing data."""
    KINDS[kind].write(redis_client, "BTC-USD", b"?")
    result = invoke(command, "AAPL", "BTC-USD", "--json")
    assert result.exit_code == 1
    assert [row["symbol"] for row in json.loads(result.stdout)] == ["AAPL"]
    assert result.stderr.startswith(f"financehub: {KINDS[kind].describe('BTC-USD')}: ")
    assert "yet" not in result.stderr
    assert invoke(command).exit_code == 1
    assert invoke(command, "AAPL").exit_code == 0


def test_status_with_an_unreadable_asset_is_degraded_and_names_it(
    cli: Any, full_store: RedisStore, redis_client: "redis.Redis"
):
    """The health report counts the active assets that can be read, and names the others and how to repair them."""
    redis_client.hset(keys.ASSETS, "BTC-USD", "?")
    (check,) = [check for check in cli("status", code=1)["checks"] if check["name"] == "assets"]
    assert check["status"] == "degraded"
    assert "financehub:assets BTC-USD: is not JSON" in check["reason"]
    assert "1 active" in check["reason"]


def test_assets_add_and_remove_repair_damaged_records(
    invoke: Any, cli: Any, store: RedisStore, redis_client: "redis.Redis"
):
    """The steps that the messages propose are effective: a damaged asset can be added again or removed."""
    redis_client.hset(keys.ASSETS, mapping={"SOL-USD": "?", "ETH-USD": "?"})
    assert cli("assets", "add", "SOL-USD", "--type", "crypto", "--no-fetch")[0]["symbol"] == "SOL-USD"
    assert cli("assets", "remove", "eth-usd") == {"removed": ["ETH-USD"]}
    assert invoke("assets", "list", "--all").stderr == ""
    assert store.assets(active_only=False)[-1].symbol == "SOL-USD"


def test_assets_add_over_a_newer_record_is_refused_until_it_is_removed(
    invoke: Any, cli: Any, store: RedisStore, redis_client: "redis.Redis", tmp_path: Any
):
    """Only `assets remove` deletes a record that a newer release wrote."""
    redis_client.hset(keys.ASSETS, "OPT", NEWER)
    result = invoke("assets", "add", "OPT", "--type", "stock", "--no-fetch")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "a newer release wrote it, so it is kept; `financehub assets remove OPT` removes it" in result.stderr
    file = tmp_path / "assets.yaml"
    file.write_text("assets:\n  - {symbol: OPT, type: stock}\n")
    assert cli("assets", "import", file)["written"] == []
    assert redis_client.hget(keys.ASSETS, "OPT") == NEWER
    assert cli("assets", "remove", "OPT") == {"removed": ["OPT"]}
    assert cli("assets", "import", file)["written"] == ["OPT"]


def test_run_with_an_unreadable_symbol_is_accepted_for_the_others(
    invoke: Any, store: RedisStore, redis_client: "redis.Redis"
):
    """A run that names several symbols is not refused because one record cannot be read."""
    redis_client.hset(keys.ASSETS, "ETH-USD", "?")
    result = invoke("run", "fetch_crypto_prices_task", "--arg", "symbols=BTC-USD,ETH-USD", "--no-wait")
    assert result.exit_code == 0, result.stderr
    assert "financehub:assets ETH-USD" in result.stderr


@pytest.mark.parametrize(
    ("key", "command"),
    [(keys.ASSETS, "asset"), (keys.QUOTES, "quote"), (keys.NEWS, "news item"), (keys.QUARANTINE_KINDS, "quote")],
)
def test_command_with_a_shared_key_of_another_type_names_it(
    invoke: Any, full_store: RedisStore, redis_client: "redis.Redis", key: str, command: str
):
    """A command that reads the key says on stderr what is wrong and what repairs it. The other commands work (S9)."""
    redis_client.delete(key)
    redis_client.set(key, "x")
    result = invoke(*COMMANDS[command])
    is_read = key != keys.QUARANTINE_KINDS
    assert result.exit_code == is_read
    assert (f"{key}: is a key of another type; " in result.stderr) == is_read
    assert redis_client.get(key) == b"x"
