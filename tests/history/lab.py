"""A separate network for one history: each node has a network namespace, and a bridge connects them.

Nothing of the host's network is used or changed. The controller reaches Redis through its Unix socket, which no fault
of the network affects.
"""

import contextlib
import os
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Self

from support.processes import Started
from support.redis_binaries import give_up

#: The controller's names of namespaces begin with this and its process id.
_PREFIX = "fhh"
#: A link with this rate holds a message of 1 kB for several milliseconds, and a burst of replies for up to 400 ms.
_SLOW = ("tbf", "rate", "400kbit", "burst", "4kb", "latency", "400ms")
#: Share of packets that a slow link loses.
_LOSS = "0.02"


def run(*command: str) -> None:
    """Run a command.

    Raises:
        subprocess.CalledProcessError: It fails. Its output is the note of the error.
    """
    try:
        subprocess.run(command, check=True, capture_output=True, text=True)
    except subprocess.CalledProcessError as error:
        error.add_note(error.stderr)
        raise


class Lab(Started):
    """Nodes in their own network.

    Args:
        nodes: Names of the nodes.
    """

    def __init__(self, nodes: Sequence[str]) -> None:
        self._prefix = f"{_PREFIX}{os.getpid()}"
        self._switch = f"{self._prefix}-switch"
        self._numbers = {name: number for number, name in enumerate(nodes, start=10)}

    def start(self) -> Self:
        """Create the namespaces and connect them."""
        if os.geteuid() != 0:
            give_up("network namespaces can be created only by root on Linux")
        _remove_leftovers()
        run("ip", "netns", "add", self._switch)
        run("ip", "-n", self._switch, "link", "add", "bridge", "type", "bridge")
        run("ip", "-n", self._switch, "link", "set", "bridge", "up")
        for name in self._numbers:
            space, port = self._space(name), self._port(name)
            run("ip", "netns", "add", space)
            end = ("type", "veth", "peer", "name", "eth0", "netns", space)
            run("ip", "-n", self._switch, "link", "add", port, *end)
            run("ip", "-n", self._switch, "link", "set", port, "master", "bridge", "up")
            run("ip", "-n", space, "address", "add", f"{self.address(name)}/24", "dev", "eth0")
            run("ip", "-n", space, "link", "set", "eth0", "up")
            run("ip", "-n", space, "link", "set", "lo", "up")
        return self

    def stop(self) -> None:
        """Remove the namespaces. The processes in them must have ended."""
        for space in [self._switch, *map(self._space, self._numbers)]:
            if Path("/run/netns", space).exists():
                run("ip", "netns", "delete", space)

    def address(self, node: str) -> str:
        """Return the address of a node."""
        return f"10.99.0.{self._numbers[node]}"

    def command(self, node: str, command: Sequence[str | Path]) -> list[str | Path]:
        """Return a command that runs another one on a node, in the same process."""
        return ["nsenter", f"--net=/run/netns/{self._space(node)}", "--", *command]

    def cut(self, node: str, *, incoming: bool = True, outgoing: bool = True, peers: Iterable[str] = ()) -> None:
        """Drop the packets of a node, whose connections stay open.

        Args:
            node: The node.
            incoming: Whether packets to it are dropped. If only these are, its commands arrive and the replies do not.
            outgoing: Whether packets from it are dropped.
            peers: Nodes with which it cannot speak, or nothing for all of them.
        """
        for chain, side, device, wanted in (("INPUT", "-s", "-i", incoming), ("OUTPUT", "-d", "-o", outgoing)):
            matches: list[tuple[str, ...]] = [(side, self.address(peer)) for peer in peers]
            for match in matches or [()]:
                if wanted:
                    self._on(node, "iptables", "-w", "-A", chain, *match, "!", device, "lo", "-j", "DROP")

    def slow_down(self, node: str) -> None:
        """Make the link of a node slow in both directions, and lose some of its packets."""
        self._on(node, "tc", "qdisc", "replace", "dev", "eth0", "root", *_SLOW)
        run("tc", "-n", self._switch, "qdisc", "replace", "dev", self._port(node), "root", *_SLOW)
        loss = ("-m", "statistic", "--mode", "random", "--probability", _LOSS)
        self._on(node, "iptables", "-w", "-A", "INPUT", "!", "-i", "lo", *loss, "-j", "DROP")

    def repair(self, node: str) -> None:
        """End all faults of a node's network."""
        self._on(node, "iptables", "-w", "-F")
        with contextlib.suppress(subprocess.CalledProcessError):  # it may not have been slow
            self._on(node, "tc", "qdisc", "delete", "dev", "eth0", "root")
        with contextlib.suppress(subprocess.CalledProcessError):
            run("tc", "-n", self._switch, "qdisc", "delete", "dev", self._port(node), "root")

    def _on(self, node: str, *command: str) -> None:
        run("nsenter", f"--net=/run/netns/{self._space(node)}", "--", *command)

    def _space(self, node: str) -> str:
        return f"{self._prefix}-{node}"

    def _port(self, node: str) -> str:
        return f"port{self._numbers[node]}"


def _remove_leftovers() -> None:
    """Remove the namespaces of controllers that were killed."""
    for space in Path("/run/netns").glob(f"{_PREFIX}*-*"):
        owner = space.name.removeprefix(_PREFIX).partition("-")[0]
        if owner.isdigit() and not Path("/proc", owner).exists():
            run("ip", "netns", "delete", space.name)
