"""Clients after a failover: behind an address that leads to another server, and with Sentinels."""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis

from financehub_shared.core.clock import SystemClock
from financehub_shared.redis import server_check
from financehub_shared.redis.client import connect, connect_async
from financehub_shared.redis.scripts import LuaScript, RedisScripts
from financehub_shared.redis.server_check import NotMasterError
from support.redis_binaries import SERVERS
from support.redis_server import PATIENT_SECONDS, RedisServer, free_port
from support.tunnel import Tunnel
from support.waiting import eventually

pytestmark = pytest.mark.faults

SET = LuaScript("return redis.call('set', KEYS[1], ARGV[1])")


class Pair:
    """A master and another server behind one address.

    Args:
        directory: Directory for the data of both.
        server: Name of the server binary.
    """

    def __init__(self, directory: Path, server: str) -> None:
        folders = [directory / name for name in ("one", "other")]
        for folder in folders:
            folder.mkdir()
        self.master, self.other = (RedisServer(folder, server=server, aof=False).start() for folder in folders)
        self.name = Tunnel(self.master.url)
        self._nowhere = free_port()

    def fail_over(self, *, moves: bool = True) -> None:
        """Make the other server the master, and the master a replica, which keeps its connections and its old data.

        Args:
            moves: Whether the address leads to the new master.
        """
        with self.other.client() as new, self.master.client() as old:
            new.replicaof("no", "one")
            new.set("value", "new")
            # nothing listens there, so the replica is not synchronized, and old data shows which server answered
            old.replicaof("127.0.0.1", str(self._nowhere))
        self.master, self.other = self.other, self.master
        if moves:
            self.name.move(self.master.url)


@pytest.fixture(params=SERVERS)
def pair(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Pair]:
    """Return two servers, on each of the server binaries."""
    found = Pair(tmp_path, request.param)
    with found.name:
        found.master.client().set("value", "old")
        yield found
    found.master.stop()
    found.other.stop()


def by_command(client: "redis.Redis") -> None:
    """Write with a command."""
    client.set("key", "1")


def by_script(client: "redis.Redis") -> None:
    """Write in a script. Redis 6.2 sends its refusal in another form."""
    client.eval(SET.source, 1, "key", "1")


def by_pipeline(client: "redis.Redis") -> None:
    """Write in a pipeline."""
    with client.pipeline(transaction=False) as pipeline:
        pipeline.set("key", "1").get("value").execute()


def by_transaction(client: "redis.Redis") -> None:
    """Write in a transaction."""
    with client.pipeline(transaction=True) as pipeline:
        pipeline.set("key", "1").get("value").execute()


@pytest.mark.parametrize("write", [by_command, by_script, by_pipeline, by_transaction])
def test_write_to_demoted_server_reaches_the_new_master(pair: Pair, write: Callable[["redis.Redis"], None]):
    """A client that retries does not notice that its server was demoted."""
    client = connect(pair.name.url, retries=3, timeout=PATIENT_SECONDS)
    client.get("value")
    pair.fail_over()
    write(client)
    assert pair.master.client().get("key") == b"1"


@pytest.mark.parametrize("write", [by_command, by_script])
def test_refused_write_without_retries_is_repeated_once(pair: Pair, write: Callable[["redis.Redis"], None]):
    """A client that must not run a command twice repeats a refused one, because it did not run."""
    client = connect(pair.name.url, retries=0, timeout=PATIENT_SECONDS)
    client.get("value")
    pair.fail_over()
    write(client)
    assert pair.master.client().get("key") == b"1"
    pair.fail_over(moves=False)
    with pytest.raises(NotMasterError):
        write(client)


@pytest.mark.parametrize("write", [by_pipeline, by_transaction])
def test_refused_pipeline_without_retries_is_raised_once(pair: Pair, write: Callable[["redis.Redis"], None]):
    """Commands before the refused one may have run, so the refusal is raised. The client then uses the new master."""
    client = connect(pair.name.url, retries=0, timeout=PATIENT_SECONDS)
    client.get("value")
    pair.fail_over()
    with pytest.raises(redis.exceptions.ReadOnlyError):
        write(client)
    assert pair.master.client().get("key") is None
    write(client)
    assert pair.master.client().get("key") == b"1"


def test_refusal_of_one_client_reopens_connections_of_all(pair: Pair):
    """Every other client of the process, even one that only reads, leaves the demoted server at its next command."""
    readers = [connect(pair.name.url, retries=0, timeout=PATIENT_SECONDS) for _ in range(3)]
    # another database of the same server
    readers.append(connect(pair.name.url + "/1", retries=0, timeout=PATIENT_SECONDS))
    scripts = RedisScripts.of_url(pair.name.url, SystemClock(), timeout_seconds=PATIENT_SECONDS)
    scripts.run(SET, ["key"], ["0"])
    for reader in readers:
        reader.get("value")
    pair.fail_over()
    by_command(
        connect(pair.name.url, timeout=PATIENT_SECONDS)
    )  # opens a connection to the new master, and learns nothing
    writer = readers.pop()
    with pytest.raises(redis.exceptions.ReadOnlyError):
        by_pipeline(writer)
    assert [reader.get("value") for reader in readers] == [b"new"] * 3
    scripts.run(SET, ["key"], ["2"])
    assert pair.master.client().get("key") == b"2"


def test_client_that_only_reads_notices_a_demotion(pair: Pair, monkeypatch: pytest.MonkeyPatch):
    """No client writes, and a reader leaves the demoted server after the time of a check."""
    monkeypatch.setattr(server_check, "CHECK_SECONDS", 0.2)
    client = connect(pair.name.url, retries=0, timeout=PATIENT_SECONDS)
    client.get("value")
    pair.fail_over()
    eventually(lambda: client.get("value") == b"new", "the reader reads from the new master", PATIENT_SECONDS)


def test_replica_is_never_read(pair: Pair):
    """While the address leads to a replica, clients raise an error that says so, and none returns old data."""
    client = connect(pair.name.url, retries=0, timeout=PATIENT_SECONDS)
    pair.fail_over(moves=False)
    with pytest.raises(NotMasterError, match="is a replica; use the address that leads to the master"):
        client.get("value")
    pair.name.move(pair.master.url)
    assert client.get("value") == b"new"


def test_coroutines_reach_the_new_master(pair: Pair):
    """A client for coroutines repeats a refused write, with and without retries."""

    async def run() -> None:
        retrying = connect_async(pair.name.url, retries=3, timeout=PATIENT_SECONDS)
        once = connect_async(pair.name.url, retries=0, timeout=PATIENT_SECONDS)
        for client in (retrying, once):
            await client.get("value")
        pair.fail_over()
        await once.eval(SET.source, 1, "key", "0")
        assert pair.master.client().get("key") == b"0"
        assert await retrying.get("value") == await once.get("value") == b"new"
        pair.fail_over()
        await retrying.eval(SET.source, 1, "key", "1")
        assert pair.master.client().get("key") == b"1"
        for client in (retrying, once):
            await client.aclose()

    asyncio.run(run())


def test_coroutine_that_only_reads_notices_a_demotion(pair: Pair, monkeypatch: pytest.MonkeyPatch):
    """A client for coroutines that does not write leaves the demoted server after the time of a check."""
    monkeypatch.setattr(server_check, "CHECK_SECONDS", 0.2)

    async def run() -> None:
        client = connect_async(pair.name.url, retries=0, timeout=PATIENT_SECONDS)
        await client.get("value")
        pair.fail_over()
        await asyncio.sleep(0.3)
        assert await client.get("value") == b"new"
        await client.aclose()

    asyncio.run(run())
