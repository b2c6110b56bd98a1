"""Faults of one worker, producer or scheduler, and of its network."""

import signal
import time
from collections.abc import Callable

from history.world import Fault, World

_POLL_SECONDS = 0.05


def on(roles: Callable[[World], list[str]], act: Callable[[World, str], Fault]) -> Callable[[World], Fault]:
    """Return a fault of one node of a role. It does nothing if every such node is in use."""

    def fault(world: World) -> Fault:
        node = world.free(roles(world))
        if node is None:
            return
        world.busy.add(node)
        yield from act(world, node)
        world.busy.discard(node)

    return fault


def kill(world: World, node: str) -> Fault:
    """Kill a node, and start it again up to 2 s later."""
    world.fleet.kill(node)
    yield world.between(0, 2)
    world.fleet.start(node)
    yield world.between(2, 5)


def terminate(world: World, node: str) -> Fault:
    """Terminate a node as the kubelet does, and start it again when it has ended."""
    since = world.fleet.begin_end(node)
    while not world.fleet.has_ended(node, since):
        yield _POLL_SECONDS
        assert time.monotonic() < since + 60, f"{node} does not end after SIGTERM"
    world.fleet.start(node)
    yield world.between(2, 5)


def hang(low: float, high: float) -> Callable[[World, str], Fault]:
    """Return a fault that stops a node for a time between two limits in seconds."""

    def act(world: World, node: str) -> Fault:
        begin = time.monotonic()
        world.fleet.signal(node, signal.SIGSTOP)
        yield world.between(low, high)
        world.fleet.signal(node, signal.SIGCONT)
        world.cut(begin, node, "SIGSTOP")

    return act


def cut(low: float, high: float, *, incoming: bool = True, outgoing: bool = True) -> Callable[[World, str], Fault]:
    """Return a fault that cuts a node off for a time between two limits in seconds.

    Args:
        low: Shortest time.
        high: Longest time.
        incoming: Whether the node receives nothing.
        outgoing: Whether the node can send nothing.
    """

    def act(world: World, node: str) -> Fault:
        begin = time.monotonic()
        world.lab.cut(node, incoming=incoming, outgoing=outgoing)
        yield world.between(low, high)
        world.lab.repair(node)
        kind = "partition" if incoming and outgoing else "replies-lost" if incoming else "mute"
        world.cut(begin, node, kind)

    return act


def slow(world: World, node: str) -> Fault:
    """Make the network of a node slow and let it lose packets."""
    begin = time.monotonic()
    world.lab.slow_down(node)
    yield world.between(3, 10)
    world.lab.repair(node)
    world.cut(begin, node, "slow")
