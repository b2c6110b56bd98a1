"""Failovers under load: what the new master has received runs exactly once.

Redis replicates asynchronously. In one turn of its event loop, it executes the commands of all connections and then
sends replies to clients and writes to replicas in any order. If its process is killed in between, the last commands of
some connections are confirmed and lost. Most tests here therefore kill it when its replica has every confirmed write,
while further commands wait. One kills at random moments, and checks that nothing else is lost.
`test_lost_writes.py` measures what a lost network or machine can cost.
"""

import random
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from integration.faults.conftest import Count, StartRig, assert_exactly_once
from support.fault_rig import SCHEDULES, THREADS, WORKERS
from support.redis_binaries import SERVERS
from support.redis_server import RedisServer
from support.replication import gets_every_write, replicate
from support.sentinel import SentinelSet
from support.tunnel import Tunnel
from support.waiting import eventually

pytestmark = pytest.mark.faults

StartRedis = Callable[..., RedisServer]
_KILLS = 10
#: Milliseconds after which a silent master counts as down. A busy machine or disk may delay the answers of a live one
#: for seconds, and a failover that nobody caused loses confirmed writes.
_DOWN_AFTER_MS = 5_000


def promote(server: RedisServer) -> None:
    """Make a replica the master."""
    with server.client() as client:
        client.replicaof("NO", "ONE")


def demoted(old: RedisServer, new: RedisServer, tunnel: Tunnel) -> None:
    """Exchange the roles as a planned failover does, without a moment with two masters. The old master stays."""
    with old.client() as client:
        client.execute_command("FAILOVER", "TO", "127.0.0.1", new.port, "TIMEOUT", 60_000)
    with new.client() as client:
        eventually(lambda: client.info("replication")["role"] == "master", "the other server is the master")
    tunnel.move(new.url)


def gone(old: RedisServer, new: RedisServer, tunnel: Tunnel) -> None:
    """Kill the master. The address leads nowhere until the replica is promoted."""
    with old.client() as client:
        replicate(client)
    old.kill()
    time.sleep(1)
    promote(new)
    tunnel.move(new.url)


def hung(old: RedisServer, new: RedisServer, tunnel: Tunnel) -> None:
    """Stop the master with SIGSTOP, and continue it as a master that nobody's address leads to any more."""
    with old.client() as client:
        replicate(client)
    old.hang()
    time.sleep(1)
    promote(new)
    tunnel.move(new.url)
    time.sleep(12)
    old.resume()


def scripts_of(server: RedisServer) -> int:
    """Return the number of scripts that clients have sent to a server."""
    with server.client() as client:
        found = client.info("commandstats").get("cmdstat_evalsha", {})
    return sum(int(found.get(count, 0)) for count in ("calls", "rejected_calls"))


@pytest.mark.parametrize("server", SERVERS)
@pytest.mark.parametrize("fate", [demoted, gone, hung], ids=lambda fate: fate.__name__)
def test_address_that_moves_to_a_new_master_is_followed(
    fate: Callable[[RedisServer, RedisServer, Tunnel], None],
    server: str,
    redis_server: StartRedis,
    start_rig: StartRig,
    count: Count,
) -> None:
    """Every client of every process follows its address, no matter whether the old master is demoted, dead or hung."""
    options = ("--repl-diskless-sync-delay", "0")
    old, new = redis_server(*options, server=server), redis_server(*options, server=server)
    with new.client() as client, old.client() as master:
        client.replicaof("127.0.0.1", str(old.port))
        eventually(lambda: gets_every_write(master, "127.0.0.1", new.port), "the replica gets every write")
    with Tunnel(old.url) as tunnel:
        rig = start_rig(f"{tunnel.url}/0")
        fate(old, new, tunnel)
        rig.wait_for_runs()

        def is_left_alone() -> bool:
            # A connection that was idle since the failover notices it with its next script, so one round may not do.
            before = scripts_of(old)
            rig.wait_for_runs()
            return scripts_of(old) == before

        if fate is demoted:
            eventually(is_left_alone, "nobody sends scripts to the old master any more")
        assert_exactly_once(count(rig, f"address moves, old master {fate.__name__}", server))


@pytest.mark.parametrize("server", SERVERS)
def test_connections_that_are_reset_every_100_ms_lose_nothing(
    server: str, redis_server: StartRedis, start_rig: StartRig, count: Count
) -> None:
    """For ten seconds, every connection of every process is reset every 100 ms."""
    with Tunnel(redis_server(server=server).url) as tunnel:
        rig = start_rig(f"{tunnel.url}/0")
        for _ in range(100):
            tunnel.cut()
            time.sleep(0.1)
        rig.wait_for_runs()
        assert_exactly_once(count(rig, "connections reset every 100 ms", server))


@pytest.mark.parametrize("server", SERVERS)
def test_master_that_is_killed_ten_times_under_sentinel_is_replaced(
    server: str, tmp_path: Path, start_rig: StartRig, count: Count
) -> None:
    """Ten kills of a master with waiting commands neither lose nor double a message or due time."""
    with SentinelSet(tmp_path / "set", server=server, password="secret", down_after_ms=_DOWN_AFTER_MS) as servers:
        rig = start_rig(servers.url)
        for _ in range(_KILLS):
            servers.rejoin(servers.kill_replicated_master())
            rig.wait_for_runs()
        assert_exactly_once(count(rig, f"Sentinel, master killed {_KILLS} times", server))


@pytest.mark.parametrize("server", SERVERS)
def test_master_that_is_killed_at_random_moments_loses_last_commands_only(
    server: str, tmp_path: Path, start_rig: StartRig, count: Count
) -> None:
    """A kill undoes at most the last command of each connection: one enqueue, one fetch per worker, one due time each.

    An undone fetch doubles its messages. An undone acknowledgment doubles nothing, because its worker remembers it.
    """
    last: set[int] = set()
    with SentinelSet(tmp_path / "set", server=server, password="secret", down_after_ms=_DOWN_AFTER_MS) as servers:
        rig = start_rig(servers.url)

        def kill(master: RedisServer) -> None:
            time.sleep(random.uniform(0, 0.5))
            master.kill()
            # The sender may not have read its last reply yet.
            newest = rig.sender.accepted[-1]
            last.update((newest, newest + 1))

        for _ in range(_KILLS):
            servers.rejoin(servers.lose_master(kill))
            rig.wait_for_runs()
        counts = count(rig, f"Sentinel, master killed {_KILLS} times at random moments", server)
    assert counts.sent >= 20 * _KILLS, counts
    assert rig.lost() <= last, (counts, rig.lost(), last)
    assert counts.lost <= _KILLS, counts
    assert counts.due_missing <= _KILLS * len(SCHEDULES), counts
    assert counts.doubled + counts.due_doubled <= _KILLS * WORKERS * THREADS, counts
