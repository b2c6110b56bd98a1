"""Failovers under load: every message and every due time runs exactly once.

Redis replicates asynchronously. If its process is killed, it has sent almost every confirmed write to the replica. The
tests that move an address wait until it has sent all of them, because they decide themselves when another server
becomes the master. `test_lost_writes.py` measures what a lost network or machine can cost.
"""

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from integration.faults.conftest import Count, StartRig, assert_exactly_once
from support.redis_binaries import SERVERS
from support.redis_server import RedisServer
from support.sentinel import SentinelSet
from support.tunnel import Tunnel
from support.waiting import eventually

pytestmark = [pytest.mark.faults, pytest.mark.timeout(300)]

StartRedis = Callable[..., RedisServer]
_KILLS = 10


def promote(server: RedisServer) -> None:
    """Make a replica the master."""
    with server.client() as client:
        client.replicaof("NO", "ONE")


def replicate(server: RedisServer) -> None:
    """Confirm no more writes, and wait until every confirmed one has been sent to the replica."""

    def is_replicated() -> bool:
        found = client.info("replication")
        return bool(found.get("slave0", {}).get("offset") == found["master_repl_offset"])

    with server.client() as client:
        client.client_pause(60_000, all=False)
        eventually(is_replicated, "the replica has every write")


def demoted(old: RedisServer, new: RedisServer, tunnel: Tunnel) -> None:
    """Exchange the roles as a planned failover does, without a moment with two masters. The old master stays."""
    with old.client() as client:
        client.execute_command("FAILOVER", "TO", "127.0.0.1", new.port, "TIMEOUT", 10_000)
    with new.client() as client:
        eventually(lambda: client.info("replication")["role"] == "master", "the other server is the master")
    tunnel.move(new.url)


def gone(old: RedisServer, new: RedisServer, tunnel: Tunnel) -> None:
    """Kill the master. The address leads nowhere until the replica is promoted."""
    replicate(old)
    old.kill()
    time.sleep(1)
    promote(new)
    tunnel.move(new.url)


def hung(old: RedisServer, new: RedisServer, tunnel: Tunnel) -> None:
    """Stop the master with SIGSTOP, and continue it as a master that nobody's address leads to any more."""
    replicate(old)
    old.hang()
    time.sleep(1)
    promote(new)
    tunnel.move(new.url)
    time.sleep(12)
    old.resume()


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
    with new.client() as client:
        client.replicaof("127.0.0.1", str(old.port))
        eventually(lambda: client.info("replication")["master_link_status"] == "up", "the replica is in sync")
    with Tunnel(old.url) as tunnel:
        rig = start_rig(f"{tunnel.url}/0")
        fate(old, new, tunnel)
        rig.wait_for_runs()
        with old.client() as client:
            before = client.info("commandstats") if fate is demoted else {}
        assert_exactly_once(count(rig, f"address moves, old master {fate.__name__}", server))
        if fate is demoted:
            with old.client() as client:
                after = client.info("commandstats")
            scripts = "cmdstat_evalsha"
            assert after.get(scripts) == before.get(scripts), "somebody still sends scripts to the old master"


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
    """Ten kills of the master under load neither lose nor double a message or due time."""
    with SentinelSet(tmp_path / "set", server=server, password="secret") as servers:
        rig = start_rig(servers.url)
        for _ in range(_KILLS):
            servers.rejoin(servers.kill_master())
            rig.wait_for_runs()
        assert_exactly_once(count(rig, f"Sentinel, master killed {_KILLS} times", server))
