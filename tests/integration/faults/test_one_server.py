"""Faults of one Redis server under load: every message and every due time runs exactly once."""

import time
from collections.abc import Callable

import pytest

from integration.faults.conftest import Count, StartRig, assert_exactly_once
from support.fault_counts import QUEUE
from support.fault_rig import SILENT_SECONDS, FaultRig
from support.redis_binaries import SERVERS
from support.redis_server import RedisServer
from support.waiting import eventually

pytestmark = pytest.mark.faults

StartRedis = Callable[..., RedisServer]


def killed(rig: FaultRig, server: RedisServer) -> None:
    """Kill Redis with SIGKILL three times, and start it again with its append-only file."""
    for _ in range(3):
        server.kill()
        time.sleep(1)
        server.start()
        rig.wait_for_runs()


def hung(rig: FaultRig, server: RedisServer) -> None:
    """Stop Redis for 20 s, twice as long as a worker may be silent."""
    server.hang()
    time.sleep(20)
    server.resume()


def out_of_memory(rig: FaultRig, server: RedisServer) -> None:
    """Make Redis refuse writes, as it does at its memory limit, for longer than a worker may be silent."""
    with server.client() as client:
        client.config_set("maxmemory", "1")
        time.sleep(SILENT_SECONDS + 2)
        client.config_set("maxmemory", "0")


def without_replica(rig: FaultRig, server: RedisServer) -> None:
    """Make Redis refuse writes because a replica is missing (NOREPLICAS), for longer than a worker may be silent."""
    with server.client() as client:
        client.config_set("min-replicas-to-write", "1")
        time.sleep(SILENT_SECONDS + 2)
        client.config_set("min-replicas-to-write", "0")


def demoted(rig: FaultRig, server: RedisServer) -> None:
    """Make Redis a replica of a server that does not answer (READONLY), for longer than a worker may be silent."""
    with server.client() as client:
        client.replicaof("127.0.0.1", "1")
        time.sleep(SILENT_SECONDS + 2)
        client.replicaof("NO", "ONE")


def flushed(rig: FaultRig, server: RedisServer) -> None:
    """Empty Redis at a moment in which no message is in the queue, because those would be lost with it."""
    rig.pause_sending()
    script = "if redis.call('hlen', KEYS[1]) == 0 then redis.call('flushall') return 1 end return 0"
    with server.client() as client:
        queue = f"dramatiq:{QUEUE}.msgs"
        eventually(lambda: client.eval(script, 1, queue), "no message is in the queue", 60, poll_seconds=0.001)
    rig.resume_sending()


def restarted_empty(rig: FaultRig, server: RedisServer) -> None:
    """Kill Redis while no message is in the queue, and start it without its data."""
    rig.pause_sending()
    with server.client() as client:
        queue = f"dramatiq:{QUEUE}.msgs"
        while True:
            eventually(lambda: client.hlen(queue) == 0, "the queue is empty")
            transaction = client.pipeline(transaction=True)
            transaction.hlen(queue)
            # Nothing is enqueued between the answer and the kill.
            transaction.execute_command("CLIENT PAUSE", "60000")
            if transaction.execute()[0] == 0:
                server.kill()
                break
            client.client_unpause()
    server.start("--appendonly", "no")
    rig.resume_sending()


@pytest.mark.parametrize("server", SERVERS)
@pytest.mark.parametrize(
    "fault", [killed, hung, out_of_memory, without_replica, demoted, flushed, restarted_empty], ids=lambda f: f.__name__
)
def test_fault_of_redis_neither_loses_nor_doubles(
    fault: Callable[[FaultRig, RedisServer], None],
    server: str,
    redis_server: StartRedis,
    start_rig: StartRig,
    count: Count,
) -> None:
    """What Redis accepted runs once, due times of the outage are caught up, and no process ends."""
    running = redis_server(server=server)
    rig = start_rig(running.url)
    fault(rig, running)
    rig.wait_for_runs()
    assert_exactly_once(count(rig, fault.__name__.replace("_", " "), server))
