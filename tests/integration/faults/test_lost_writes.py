"""What asynchronous replication can lose, and which settings of Redis limit or prevent it.

The network between the master and its replica is frozen, the master accepts messages, and then its machine is lost.
docs/redis.md contains the results.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from financehub_shared.broker.redis_broker import FinanceHubBroker
from financehub_shared.core.errors import StoreUnavailableError
from financehub_shared.core.settings import load_settings
from financehub_shared.redis import queue_keys as keys
from financehub_shared.worker.actors import enqueue
from financehub_shared.worker.build import build_broker
from support.redis_binaries import SERVERS
from support.redis_server import RedisServer
from support.replication import gets_every_write
from support.tunnel import Tunnel
from support.waiting import eventually

pytestmark = pytest.mark.faults

StartRedis = Callable[..., RedisServer]


@contextmanager
def replicated(start: StartRedis, server: str, *options: str) -> Iterator[tuple[RedisServer, RedisServer, Tunnel]]:
    """A master, its replica, and the network between them."""
    options = ("--repl-diskless-sync-delay", "0", "--repl-ping-replica-period", "1", *options)
    master, replica = start(*options, server=server), start(*options, server=server)
    with Tunnel(master.url) as network, replica.client() as client:
        client.replicaof("127.0.0.1", network.url.rpartition(":")[2])
        with master.client() as of_master:
            eventually(lambda: gets_every_write(of_master, "127.0.0.1", replica.port), "the replica gets every write")
        yield master, replica, network


def send(broker: FinanceHubBroker, seconds: float) -> int:
    """Send messages for a while, and return the number of accepted ones."""
    accepted, end = 0, time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            enqueue(broker, "noop", queue="q")
        except StoreUnavailableError:
            time.sleep(0.05)
        else:
            accepted += 1
        time.sleep(0.01)
    return accepted


@pytest.mark.parametrize("server", SERVERS)
def test_replica_that_is_cut_off_does_not_count_as_one_that_gets_every_write(
    server: str, redis_server: StartRedis
) -> None:
    """Its link is still up for the replica and for the master, but it does not acknowledge the next write."""
    with replicated(redis_server, server) as (master, replica, network), master.client() as client:
        network.freeze(new=True)
        with replica.client() as of_replica:
            assert of_replica.info("replication")["master_link_status"] == "up"
        assert not gets_every_write(client, "127.0.0.1", replica.port)


@pytest.mark.parametrize("server", SERVERS)
def test_messages_that_were_not_replicated_are_lost_with_the_master(server: str, redis_server: StartRedis) -> None:
    """By default, a master that is cut off from its replica accepts messages that a failover then loses."""
    with replicated(redis_server, server) as (master, replica, network):
        broker = build_broker(load_settings({"REDIS_URL": master.url}))
        network.freeze(new=True)
        accepted = send(broker, 3)
        master.kill()
        with replica.client() as client:
            assert accepted
            assert client.hlen(keys.messages("q")) == 0


@pytest.mark.parametrize("server", SERVERS)
def test_min_replicas_to_write_limits_the_loss_to_the_lag(server: str, redis_server: StartRedis) -> None:
    """With `min-replicas-to-write 1`, a master refuses messages once its replica is silent for `min-replicas-max-lag`.

    What it accepts before is lost. Redis counts the lag in whole seconds and checks once a second.
    """
    options = ("--min-replicas-to-write", "1", "--min-replicas-max-lag", "1")
    with replicated(redis_server, server, *options) as (master, _, network):
        broker = build_broker(load_settings({"REDIS_URL": master.url}))
        eventually(lambda: send(broker, 0.2), "the master accepts messages")
        network.freeze(new=True)
        send(broker, 6)
        # It takes up to three seconds until the master refuses messages. From then on, none can be lost.
        assert send(broker, 3) == 0
