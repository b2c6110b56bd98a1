"""A Docker engine of our own for a machine where none runs: all it has is below one folder and goes with it."""

import contextlib
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

from e2e.node.layout import Layout
from e2e.node.processes import pid_of, start, stop

_LAYOUT = Layout(Path(__file__).parents[3] / ".data" / "docker")
_NAME = "dockerd"
_SOCKET = _LAYOUT.run / "docker.sock"
#: Value of DOCKER_HOST.
HOST = f"unix://{_SOCKET}"
# a range for benchmarks, which is never routed; the node's are in a network of its own
_BRIDGE, _ADDRESS = "financehub0", "198.18.0.1/24"
_CGROUP = "financehub-docker"
_PACKAGES = {"dockerd": "docker.io", "containerd": "containerd", "runc": "runc", "ip": "iproute2"}


def lacking() -> str:
    """What keeps an engine from running here; empty when nothing does."""
    if os.geteuid() != 0:
        return "needs root"
    missing = sorted(package for command, package in _PACKAGES.items() if shutil.which(command) is None)
    return f"needs what is not installed: {', '.join(missing)}" if missing else ""


def up(ready: Callable[[], bool]) -> None:
    """Start the engine unless it runs.

    Args:
        ready: asks whether it answers.

    Raises:
        StartError: it does not start; the end of its log is in the message.
    """
    _LAYOUT.make()
    if not Path("/sys/class/net", _BRIDGE).exists():
        _ip("link", "add", _BRIDGE, "type", "bridge")
        _ip("address", "add", _ADDRESS, "dev", _BRIDGE)
        _ip("link", "set", _BRIDGE, "up")
    options = {
        "data-root": _LAYOUT.root / "data",
        "exec-root": _LAYOUT.run / "exec",
        "pidfile": _LAYOUT.run / "docker.pid",
        "host": HOST,
        "bridge": _BRIDGE,
        "cgroup-parent": _CGROUP,
        # containers are reached through published ports; the machine's own tables stay as they are
        "iptables": "false",
        "ip-forward": "false",
    }
    command = [_NAME, *(f"--{name}={value}" for name, value in options.items())]
    start(_LAYOUT, _NAME, command, ready, within=lambda arguments: [*map(str, arguments)])


def down() -> None:
    """End the engine and remove its containers, images, network, cgroups and files."""
    if pid_of(_LAYOUT, _NAME) is not None:
        docker = ["docker", "--host", HOST]
        containers = subprocess.run([*docker, "ps", "--all", "--quiet"], check=True, capture_output=True, text=True)
        if running := containers.stdout.split():
            subprocess.run([*docker, "rm", "--force", "--volumes", *running], check=True, capture_output=True)
        stop(_LAYOUT, _NAME)
    if Path("/sys/class/net", _BRIDGE).exists():
        _ip("link", "delete", _BRIDGE)
    for cgroup in (path for path in Path("/sys/fs/cgroup").glob(f"*/{_CGROUP}") if path.is_dir()):
        with contextlib.suppress(OSError):
            cgroup.rmdir()
    if _LAYOUT.root.exists():
        shutil.rmtree(_LAYOUT.root)


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True)
