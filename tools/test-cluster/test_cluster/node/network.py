"""The node's network namespace: its addresses and rules are its own, and go with it."""

import subprocess
from collections.abc import Sequence
from pathlib import Path

from test_cluster.node.layout import NAME, NODE, PODS

_NAMESPACE = Path("/run/netns") / NAME
_BRIDGE = "pods"


def inside(command: Sequence[str | Path]) -> list[str]:
    """The command as it runs inside the namespace.

    Args:
        command: program and arguments.
    """
    # not `ip netns exec`, which remounts /sys and so hides the cgroups
    return ["nsenter", f"--net={_NAMESPACE}", "--", *map(str, command)]


def exists() -> bool:
    """Whether the namespace is there."""
    return _NAMESPACE.exists()


def processes() -> list[str]:
    """Ids of the processes that run in the namespace itself; those of pods have their own."""
    return subprocess.run(["ip", "netns", "pids", NAME], check=True, capture_output=True, text=True).stdout.split()


def create() -> None:
    """Make the namespace with loopback and the pods' bridge, unless it is there."""
    if exists():
        return
    _run(["ip", "netns", "add", NAME])
    for command in (
        ["ip", "link", "set", "lo", "up"],
        ["ip", "link", "add", _BRIDGE, "type", "bridge"],
        ["ip", "addr", "add", f"{NODE}/{PODS.prefixlen}", "dev", _BRIDGE],
        ["ip", "link", "set", _BRIDGE, "up"],
        ["sysctl", "-qw", "net.ipv4.ip_forward=1"],
    ):
        _run(inside(command))


def delete() -> None:
    """Remove the namespace and all that is in it; nothing when it is not there."""
    if exists():
        _run(["ip", "netns", "delete", NAME])


def configuration() -> dict[str, object]:
    """CNI's list of plugins for pods; the bridge plugin enforces no NetworkPolicy."""
    bridge = {
        "type": "bridge",
        "bridge": _BRIDGE,
        "isGateway": True,
        "ipMasq": True,
        # a pod may reach itself through its Service
        "hairpinMode": True,
        "ipam": {
            "type": "host-local",
            "ranges": [[{"subnet": str(PODS), "rangeStart": str(PODS[10])}]],
            "routes": [{"dst": "0.0.0.0/0"}],
        },
    }
    return {"cniVersion": "0.4.0", "name": NAME, "plugins": [bridge]}


def _run(command: Sequence[str]) -> None:
    subprocess.run(command, check=True)
