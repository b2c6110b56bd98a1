"""Tests of `financehub redis copy`: it copies every key to another server, and refuses what could lose data."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from financehub_shared.health.processes import EXPIRY_SECONDS, ProcessInfo, ProcessRegistry
from financehub_shared.operations import redis_copy
from financehub_shared.operations.redis_copy import CopyError, copy_database
from financehub_shared.redis import keys
from financehub_shared.redis.value_parts import PART_SIZE, VALUE_KINDS
from integration.fleet.test_acl import documented_rules
from support.full_redis import fill
from support.redis_binaries import SERVERS
from support.redis_server import RedisServer

#: The forms in which servers store small and large values, and the values at the limits of the parts.
SIZES = (1, 2, PART_SIZE - 1, PART_SIZE, PART_SIZE + 1, 3 * PART_SIZE)
PROCESS = ProcessInfo("p", "high", "pod-1", 1, 1.0)


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[Callable[..., RedisServer]]:
    """A function that starts a server."""
    started: list[RedisServer] = []

    def start(server: str | None = None, *options: str) -> RedisServer:
        directory = tmp_path / str(len(started))
        directory.mkdir()
        started.append(RedisServer(directory, *options, aof=False, server=server).start())
        return started[-1]

    yield start
    for server in started:
        server.stop()


def content(client: "redis.Redis") -> dict[bytes, Any]:
    """Return all keys with their values, and whether they expire."""
    found: dict[bytes, Any] = {}
    for key in client.scan_iter():
        value: Any = {
            b"string": client.get,
            b"list": lambda key: client.lrange(key, 0, -1),
            b"set": client.smembers,
            b"stream": client.xrange,
            b"hash": client.hgetall,
            b"zset": lambda key: client.zrange(key, 0, -1, withscores=True),
        }[client.type(key)](key)
        found[key] = value, client.ttl(key) >= 0
    return found


def write_values_of_all_sizes(client: "redis.Redis") -> None:
    """Write keys of all types and sizes, with names, members and scores that need care."""
    with client.pipeline(transaction=False) as pipe:
        for size in SIZES:
            names = [b"\x00\xff%d" % number for number in range(size)]
            pipe.rpush(f"list {size}", *names)
            pipe.sadd(f"set {size}", *names)
            pipe.hset(f"hash {size}", mapping=dict.fromkeys(names, b"\r\n\xe2\x82"))
            pipe.zadd(f"zset {size}", {name: 0.1 + number for number, name in enumerate(names)})
            pipe.set(b"string \xff%d" % size, b"x" * size, px=3_600_000)
        pipe.zadd("scores", {"a": float("inf"), "b": float("-inf"), "c": 1e-300, "d": 2**53, "e": -0.0})
        pipe.set("", "")
        for number in range(PART_SIZE + 1):
            pipe.xadd("stream", {"a": number, "b": ""}, id=f"5-{number + 1}")
        pipe.rpush("same", *["x"] * (PART_SIZE * 2))
        pipe.sadd("integers", *range(300))
        pipe.execute()


@pytest.mark.parametrize("target", SERVERS)
@pytest.mark.parametrize("source", SERVERS)
def test_copy_between_servers_of_any_version_is_complete(servers: Callable[..., RedisServer], source: str, target: str):
    """Every key has the same value on the other server, of any type and size, and keys that expire still do."""
    old, new = servers(source).client(), servers(target).client()
    write_values_of_all_sizes(old)
    before = content(old)
    copied = copy_database(old, new)
    assert content(new) == content(old) == before
    assert sum(copied.keys.values()) == len(before)
    assert copied.elements["list"] == sum(SIZES) + PART_SIZE * 2
    assert copied.expiring == len(SIZES)
    for key in new.scan_iter(match="string*"):
        assert 3_500_000 < new.pttl(key) <= 3_600_000


def test_copy_of_everything_that_finance_hub_stores_is_complete(
    cli: Any,
    servers: Callable[..., RedisServer],
    redis_client: "redis.Redis",
    redis_url: str,
    monkeypatch: pytest.MonkeyPatch,
):
    """The command copies every kind of key, with the password of the target from the environment, and prints none."""
    fill(redis_client, redis_url)
    redis_client.delete(keys.PROCESSES)
    new = servers(None, "--requirepass", "s3cret")
    monkeypatch.setenv("TARGET_REDIS_PASSWORD", "s3cret")
    result = cli("redis", "copy", f"redis://127.0.0.1:{new.port}/0")
    assert "s3cret" not in json.dumps(result)
    assert result["keys"] == redis_client.dbsize() == new.client().dbsize()
    assert {each["type"] for each in result["types"]} <= VALUE_KINDS.keys()
    assert content(new.client()) == content(redis_client)


def test_copy_needs_no_right_beyond_the_documented_acl(servers: Callable[..., RedisServer]):
    """A user with the ACL of docs/redis.md on both servers can copy values of all types and sizes."""
    old, new = servers(), servers()
    write_values_of_all_sizes(old.client())
    for key in old.client().scan_iter():
        old.client().rename(key, b"financehub:" + key)
    for server in (old, new):
        server.client().execute_command(*documented_rules())
    clients = [redis.Redis(port=server.port, username="financehub", password="secret") for server in (old, new)]
    copy_database(*clients)
    assert content(new.client()) == content(old.client())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda _, new: new.set("x", 1), "the target is not empty"),
        (lambda old, _: old.flushall(), "the source has no keys"),
        (lambda _, new: new.config_set("maxmemory", "1mb"), "the target is full"),
        (lambda _, new: new.config_set("requirepass", "x"), "the target does not serve the copy"),
        (lambda _, new: new.execute_command("acl", "setuser", "default", "-rpush"), "the target"),
    ],
)
def test_copy_that_could_lose_data_is_refused(
    servers: Callable[..., RedisServer], change: Callable[[Any, Any], Any], message: str
):
    """The source is not changed, and the message says what to do."""
    old, new = servers(), servers()
    write_values_of_all_sizes(old.client())
    change(old.client(), new.client())
    before = content_or_types(old.client())
    with pytest.raises(CopyError, match=message):
        copy_database(old.client(), new.client())
    assert content_or_types(old.client()) == before


class RepeatingClient(redis.Redis):
    """A client that reports each key twice, as a server may while it resizes its table."""

    def scan(self, *arguments: Any, **options: Any) -> Any:
        """Return the cursor and the keys, each of them twice."""
        cursor, found = super().scan(*arguments, **options)
        return cursor, [*found, *found]


def test_copy_of_keys_that_scan_reports_twice_is_complete(servers: Callable[..., RedisServer]):
    """SCAN may report a key more than once, and its elements are copied once."""
    old, new = servers(), servers().client()
    write_values_of_all_sizes(old.client())
    copy_database(RepeatingClient(port=old.port), new)
    assert content(new) == content(old.client())


def test_copy_of_a_large_value_holds_a_limited_part_of_it(
    servers: Callable[..., RedisServer], monkeypatch: pytest.MonkeyPatch
):
    """A queue with a million messages is written and compared without all of them in memory."""
    old, new = servers().client(), servers().client()
    size = 20 * PART_SIZE
    old.rpush("list", *range(size))
    old.hset("hash", mapping=dict.fromkeys(map(str, range(size)), "x"))
    sent: list[int] = []
    ask = redis_copy._ask

    def count(client: "redis.Redis", commands: Any) -> Any:
        sent.append(sum(len(part) for command in commands for part in command if isinstance(part, list)))
        return ask(client, commands)

    monkeypatch.setattr(redis_copy, "_ask", count)
    assert copy_database(old, new).elements.total() == 2 * size
    assert sum(sent) >= 4 * size
    assert max(sent) < redis_copy._ELEMENTS + 2 * PART_SIZE


def test_copy_with_a_running_process_is_refused(servers: Callable[..., RedisServer]):
    """A process whose heartbeats go on for longer than those of a killed process count is running."""
    old, new = servers().client(), servers().client()
    write_values_of_all_sizes(old)
    registry = ProcessRegistry(old)
    registry.write_heartbeat(PROCESS)
    waited: list[float] = []

    def pause(seconds: float) -> None:
        waited.append(seconds)
        registry.write_heartbeat(PROCESS)

    with pytest.raises(CopyError, match="processes use the source: high on pod-1; stop"):
        copy_database(old, new, pause=pause)
    assert EXPIRY_SECONDS < sum(waited) <= EXPIRY_SECONDS + 2
    assert new.dbsize() == 0


def test_copy_of_the_data_redis_with_a_running_process_is_refused(
    invoke: Any, servers: Callable[..., RedisServer], monkeypatch: pytest.MonkeyPatch
):
    """If the queues are in another Redis, the processes sign in there. What they wrote after the copy would be lost."""
    queues, old, new = servers(), servers(), servers()
    write_values_of_all_sizes(old.client())
    ProcessRegistry(queues.client()).write_heartbeat(PROCESS)
    monkeypatch.setattr(redis_copy, "EXPIRY_SECONDS", 0)
    monkeypatch.setenv("REDIS_URL", old.url)
    monkeypatch.setenv("DRAMATIQ_BROKER_URL", queues.url)
    result = invoke("redis", "copy", new.url)
    assert result.exit_code == 1
    assert "processes use the source: high on pod-1" in result.stderr
    assert new.client().dbsize() == 0


def test_copy_waits_for_the_heartbeat_of_a_killed_process_to_expire(servers: Callable[..., RedisServer]):
    """A process that was killed, and so did not sign off, only delays the copy."""
    old, new = servers().client(), servers().client()
    write_values_of_all_sizes(old)
    ProcessRegistry(old).write_heartbeat(PROCESS)
    copied = copy_database(old, new, pause=lambda _: ProcessRegistry(old).remove(PROCESS.id))
    assert copied.keys["list"] == len(SIZES) + 1


def content_or_types(client: "redis.Redis") -> dict[bytes, bytes]:
    """Return the type of every key."""
    return {key: client.type(key) for key in client.scan_iter()}


@pytest.mark.parametrize("kind", [b"string", b"list", b"set", b"hash", b"zset", b"stream"])
def test_copy_with_a_writer_on_the_source_reports_the_keys(
    servers: Callable[..., RedisServer], monkeypatch: pytest.MonkeyPatch, kind: bytes
):
    """A value that changes between the copy and the comparison is named, whatever its type."""
    old, new = servers().client(), servers().client()
    write_values_of_all_sizes(old)
    name = b"string \xff1" if kind == b"string" else kind + b" %d" % SIZES[-1]
    compare = redis_copy._compare

    def change_first(source: "redis.Redis", target: "redis.Redis") -> Any:
        match kind:
            case b"string":
                source.set(name, "y", keepttl=True)
            case b"list":
                source.lset(name, -1, "y")
            case b"set":
                source.srem(name, b"\x00\xff0")
                source.sadd(name, "y")
            case b"hash":
                source.hset(name, b"\x00\xff0", "y")
            case b"stream":
                source.xadd("stream", {"a": 7})
            case b"zset":
                source.zadd(name, {b"\x00\xff0": 7.5})
        return compare(source, target)

    monkeypatch.setattr(redis_copy, "_compare", change_first)
    with pytest.raises(CopyError, match="keys differ in source and target"):
        copy_database(old, new)


@pytest.mark.parametrize("lifetime", [None, 60_000])
def test_copy_with_a_writer_of_other_keys_on_the_target_reports_them(
    servers: Callable[..., RedisServer], monkeypatch: pytest.MonkeyPatch, lifetime: int | None
):
    """A key that something else writes to the target during the copy is named, although the source does not have it."""
    old, new = servers().client(), servers().client()
    write_values_of_all_sizes(old)
    compare = redis_copy._compare

    def write_first(source: "redis.Redis", target: "redis.Redis") -> Any:
        target.set("other", "y", px=lifetime)
        return compare(source, target)

    monkeypatch.setattr(redis_copy, "_compare", write_first)
    with pytest.raises(CopyError, match=r"the target has keys that were not copied.*\(1: other\); stop it, empty the"):
        copy_database(old, new)


def test_copy_with_a_key_that_expires_in_the_source_is_complete(
    servers: Callable[..., RedisServer], monkeypatch: pytest.MonkeyPatch
):
    """A key that was copied and ends in the source before the comparison is not taken for another writer's."""
    old, new = servers().client(), servers().client()
    old.mset({"ends": "x", "stays": "y"})
    compare = redis_copy._compare

    def expire_first(source: "redis.Redis", target: "redis.Redis") -> Any:
        source.delete("ends")
        return compare(source, target)

    monkeypatch.setattr(redis_copy, "_compare", expire_first)
    assert copy_database(old, new).keys == {"string": 1}
