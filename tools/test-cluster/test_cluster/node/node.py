"""Starts and stops the whole node."""

import contextlib
import fcntl
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from test_cluster.node import network
from test_cluster.node.addons import provide_volumes, start_dns, start_metrics
from test_cluster.node.kubectl import kubectl
from test_cluster.node.kubernetes import start_control_plane, start_node, write_credentials
from test_cluster.node.layout import Layout
from test_cluster.node.outside import open_outside
from test_cluster.node.processes import pid_of, stop, unmount_below
from test_cluster.node.runtime import end_containers, start_runtime

#: The servers in the order in which they stop. The kubelet, which starts pods, comes before all that pods need, and the
#: container runtime is last.
_SERVERS = (
    "outside",
    "kubelet",
    "kube-proxy",
    "metrics-server",
    "coredns",
    "scheduler",
    "controller-manager",
    "api-server",
    "etcd",
    "containerd",
)
#: Contains the root folder of the node that owns the network namespace.
_OWNER_FILE = Path("/run/financehub-node")
_CGROUPS = Path("/sys/fs/cgroup")


class NodeError(Exception):
    """The node cannot run on this machine. The message contains the reason and the fix."""


def up(layout: Layout) -> None:
    """Start the node, or those of its servers that are not running. If its etcd is not running, the node starts empty.

    Args:
        layout: Files of the node.

    Raises:
        NodeError: Another checkout's node is running, or a program is missing.
        StartError: A server does not start.
    """
    _check_programs()
    layout.root.mkdir(parents=True, exist_ok=True)
    with _exclusive(layout):
        if network.exists() and _owner() != str(layout.root):
            _remove_dead_node(_owner())
        if pid_of(layout, "etcd") is None:
            _clear(layout)
        layout.make()
        network.create()
        _OWNER_FILE.write_text(str(layout.root), encoding="utf-8")
        write_credentials(layout)
        start_runtime(layout)
        start_control_plane(layout)
        start_node(layout)
        start_dns(layout)
        start_metrics(layout)
        provide_volumes(layout)
        open_outside(layout)


def down(layout: Layout) -> None:
    """Stop the node and remove its processes, mounts, network, cgroups and files.

    Args:
        layout: Files of the node.
    """
    if layout.root.exists():
        with _exclusive(layout):
            if pid_of(layout, "kubelet") is not None:
                # The kubelet unmounts and removes the files of the pods.
                kubectl(layout, "delete", "pods", "--all", "--all-namespaces", "--grace-period=1", "--timeout=40s")
            _clear(layout)


def _remove_dead_node(owner: str) -> None:
    """Remove what is left of another checkout's node, whose processes have exited and whose checkout may be gone."""
    if processes := network.processes():
        raise NodeError(
            f"the node of {owner or 'another checkout'} is running; stop it with `make cluster-down` there,"
            f" or, if that folder is gone, with `kill {' '.join(processes)}`"
        )
    if owner and Path(owner).exists():
        _clear(Layout(Path(owner)))
    network.delete()


def _clear(layout: Layout) -> None:
    for server in _SERVERS[:-1]:
        stop(layout, server)
    if pid_of(layout, "containerd") is not None:
        with contextlib.suppress(subprocess.CalledProcessError):
            end_containers(layout)
    stop(layout, "containerd")
    _end_shims(layout)
    unmount_below(layout.root)
    if network.exists() and _owner() == str(layout.root):
        network.delete()
        _OWNER_FILE.unlink(missing_ok=True)
    _remove_cgroups()
    for entry in layout.root.iterdir():
        if entry.is_dir():
            shutil.rmtree(entry)
        elif entry.name != "lock":
            entry.unlink()


def _end_shims(layout: Layout) -> None:
    """Kill the container shims, which outlive containerd. Their arguments contain the node's socket."""
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            arguments = (process / "cmdline").read_bytes().split(b"\0")
            if b"containerd-shim" in arguments[0] and os.fsencode(layout.containerd) in arguments:
                os.kill(int(process.name), signal.SIGKILL)


def _remove_cgroups() -> None:
    for pods in [*_CGROUPS.glob("*/kubepods"), *_CGROUPS.glob("kubepods")]:
        for folder in [*sorted((path for path in pods.rglob("*") if path.is_dir()), reverse=True), pods]:
            # A cgroup that still contains a process belongs to another program.
            with contextlib.suppress(OSError):
                folder.rmdir()


def _owner() -> str:
    with contextlib.suppress(FileNotFoundError):
        return _OWNER_FILE.read_text(encoding="utf-8")
    return ""


def _check_programs() -> None:
    if os.geteuid() != 0:
        raise NodeError("the node of the tests requires root; install kind and Docker to run a cluster without root")
    packages = {"containerd": "containerd", "runc": "runc", "ip": "iproute2", "iptables": "iptables", "gcc": "gcc"}
    packages |= {"curl": "curl", "nsenter": "util-linux", "sysctl": "procps"}
    missing = {package for command, package in packages.items() if shutil.which(command) is None}
    if not Path("/usr/lib/cni/bridge").exists():
        missing.add("containernetworking-plugins")
    if missing:
        raise NodeError(
            f"not installed: {', '.join(sorted(missing))}; install these packages (on Debian: apt-get install)"
        )


@contextmanager
def _exclusive(layout: Layout) -> Iterator[None]:
    with (layout.root / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
