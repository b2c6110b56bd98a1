"""Faults of Redis: of one server, and of a master with replicas and Sentinels. Only one is active at a time."""

import signal
import time
from collections.abc import Callable

import redis

from history.servers import Server
from history.world import Fault, World

#: Seconds before the loss of a master for which a confirmed write may not have reached its replica.
REPLICATION_LAG_SECONDS = 1.0
#: Redis postpones a write to its append-only file for this long while a sync to disk is in progress (everysec).
AOF_SECONDS = 2.0
#: Seconds after the loss of a server in which a client on a busy machine may still record a reply of it.
RECORD_SECONDS = 0.5
_POLL_SECONDS = 0.05


def of_redis(act: Callable[[World, Server], Fault]) -> Callable[[World], Fault]:
    """Return a fault of the master, during which no other fault of Redis begins."""

    def fault(world: World) -> Fault:
        if "redis" in world.busy:
            return
        world.busy.add("redis")
        begin = time.monotonic()
        yield from act(world, world.storage.master())
        world.recorder.record("outage", at=begin, until=f"{time.monotonic():.6f}", kind=act.__name__)
        yield world.between(1, 4)
        world.busy.discard("redis")

    return fault


def kill(world: World, server: Server) -> Fault:
    """Kill the only server, and start it again."""
    killed = time.monotonic()
    server.stop()
    if not world.always:
        world.lossy(killed - AOF_SECONDS, time.monotonic() + RECORD_SECONDS, "everysec")
    yield world.between(0.2, 4)
    server.start()


def hang(world: World, server: Server) -> Fault:
    """Stop the only server for a moment, or beyond the heartbeat timeout."""
    server.process.send_signal(signal.SIGSTOP)
    yield world.random.choice([world.between(0.5, 4), world.between(11, 14)])
    server.process.send_signal(signal.SIGCONT)


def cut(world: World, server: Server) -> Fault:
    """Cut the only server off in one or both directions, for a moment or beyond the heartbeat timeout."""
    incoming, outgoing = world.random.choice([(True, True), (False, True), (True, False)])
    world.lab.cut(server.node, incoming=incoming, outgoing=outgoing)
    yield world.random.choice([world.between(1, 8), world.between(11, 14)])
    world.lab.repair(server.node)


def slow(world: World, server: Server) -> Fault:
    """Make the network of the master slow and let it lose packets."""
    world.lab.slow_down(server.node)
    yield world.between(3, 8)
    world.lab.repair(server.node)


def fill(world: World, server: Server) -> Fault:
    """Let the master refuse writes because it is full."""
    server.client().config_set("maxmemory", 1)
    yield world.between(2, 8)
    server.client().config_set("maxmemory", 0)


def reset_connections(world: World, server: Server) -> Fault:
    """Close the connections of all clients several times."""
    end = time.monotonic() + world.between(1, 5)
    while time.monotonic() < end:
        try:
            server.client().client_kill_filter(_type="normal", skipme=True)
        except redis.RedisError:
            yield _POLL_SECONDS
        yield world.between(0.02, 0.3)


def kill_master(world: World, server: Server) -> Fault:
    """Kill the master, and start it again as a replica of its successor."""
    killed = time.monotonic()
    server.stop()
    world.lossy(killed - REPLICATION_LAG_SECONDS, time.monotonic() + RECORD_SECONDS, "replication")
    yield from _replaced(world, server, 2)
    server.start("--replicaof", world.storage.wait_for_new_master(server).address, "6379")
    yield from _recovered(world, server)


def hang_master(world: World, server: Server) -> Fault:
    """Stop the master until another server has replaced it."""
    yield from _confirming(
        world,
        server,
        lambda: server.process.send_signal(signal.SIGSTOP),
        lambda: server.process.send_signal(signal.SIGCONT),
        2,
    )


def split_master(world: World, server: Server) -> Fault:
    """Cut the master off from its replicas and the Sentinels, while clients still reach it."""
    others = [each.node for each in world.storage.servers if each is not server]
    others += [sentinel.node for sentinel in world.storage.sentinels]
    yield from _confirming(
        world,
        server,
        lambda: world.lab.cut(server.node, peers=others),
        lambda: world.lab.repair(server.node),
        4,
    )


def isolate_master(world: World, server: Server) -> Fault:
    """Cut the master off from everything."""
    yield from _confirming(world, server, lambda: world.lab.cut(server.node), lambda: world.lab.repair(server.node), 4)


def order_failover(world: World, server: Server) -> Fault:
    """Promote a replica with `SENTINEL FAILOVER`, while the old master works on for a moment."""
    begin = time.monotonic()
    try:
        world.storage.sentinels[0].ask("SENTINEL", "FAILOVER", "financehub")
    except redis.RedisError:
        return  # the Sentinels have not yet noticed that the last failover is complete
    yield from _recovered(world, server)
    world.lossy(begin - REPLICATION_LAG_SECONDS, time.monotonic(), "replication")


def _confirming(
    world: World, server: Server, begin: Callable[[], None], end: Callable[[], None], longest: float
) -> Fault:
    """Inflict a fault on the master that ends up to some seconds after another server has replaced it.

    Until a Sentinel makes it a replica, the old master confirms writes that are lost.
    """
    begun = time.monotonic()
    begin()
    yield from _replaced(world, server, longest)
    end()
    yield from _recovered(world, server)
    world.lossy(begun - REPLICATION_LAG_SECONDS, time.monotonic(), "replication")


def _replaced(world: World, old: Server, longest: float) -> Fault:
    """Wait until the Sentinels name another master, and then up to some seconds."""
    while _master_or(world, old) is old:
        yield 0.1
    yield world.between(0, longest)


def _recovered(world: World, old: Server) -> Fault:
    """Wait until another server is the master, and the old one gets its writes."""
    limit = time.monotonic() + 90
    new = old
    while new is old or not _is_settled(new, old):
        assert time.monotonic() < limit, f"no master has replaced {old.node}"
        yield 0.2
        new = _master_or(world, old)


def _master_or(world: World, old: Server) -> Server:
    try:
        return world.storage.master()
    except (redis.RedisError, AttributeError, TypeError):
        return old


def _is_settled(new: Server, old: Server) -> bool:
    try:
        return new.info()["role"] == "master" and old.follows(new)
    except redis.RedisError:
        return False
