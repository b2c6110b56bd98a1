"""Manages the node's network namespace. Its addresses and firewall rules are removed with it."""

import subprocess
from collections.abc import Sequence
from pathlib import Path

from test_cluster.node.layout import NAME, NODE, PODS

_NAMESPACE = Path("/run/netns") / NAME
_BRIDGE = "pods"


def path() -> Path:
    """Return the file that stands for the namespace."""
    return _NAMESPACE


def inside(command: Sequence[str | Path]) -> list[str]:
    """Return the command line that runs a command inside the namespace.

    Args:
        command: Program and arguments.
    """
    # `ip netns exec` would remount /sys and thus hide the cgroups.
    return ["nsenter", f"--net={_NAMESPACE}", "--", *map(str, command)]


def exists() -> bool:
    """Whether the namespace exists."""
    return _NAMESPACE.exists()


def processes() -> list[str]:
    """Return the ids of the processes in the namespace. Pods have their own namespaces."""
    return subprocess.run(["ip", "netns", "pids", NAME], check=True, capture_output=True, text=True).stdout.split()


def create() -> None:
    """Create the namespace with loopback and the pods' bridge, unless it exists."""
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
    """Remove the namespace and everything in it. Does nothing if it does not exist."""
    if exists():
        _run(["ip", "netns", "delete", NAME])


def cni_configuration() -> dict[str, object]:
    """Return the CNI configuration of the pods' network. Its bridge plugin does not enforce NetworkPolicies."""
    bridge = {
        "type": "bridge",
        "bridge": _BRIDGE,
        "isGateway": True,
        "ipMasq": True,
        # With this, a pod can reach itself through its Service.
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
