"""Runs a Docker engine on a machine without one. All its files are in one folder and are removed with it."""

import contextlib
import os
import shutil
import subprocess
import time
import zlib
from pathlib import Path

from test_cluster.node.layout import Layout
from test_cluster.node.processes import pid_of, start, stop, unmount_below

_LAYOUT = Layout(Path(__file__).parents[4] / ".data" / "docker")
_NAME = "dockerd"
_EXEC = _LAYOUT.run / "exec"
_PID_FILE = _LAYOUT.run / "docker.pid"
#: The value of DOCKER_HOST.
HOST = f"unix://{_LAYOUT.run / 'docker.sock'}"
# Each checkout's engine has its own network, in the range for benchmarks, which is never routed.
_NUMBER = zlib.crc32(os.fsencode(_LAYOUT.root)) % 256
_BRIDGE, _ADDRESS = f"financehub{_NUMBER}", f"198.18.{_NUMBER}.1/24"
_CGROUP = f"financehub-docker-{_NUMBER}"
_PACKAGES = {"dockerd": "docker.io", "containerd": "containerd", "runc": "runc", "ip": "iproute2"}


def lacking() -> str:
    """Return why an engine cannot run on this machine, or an empty string if it can."""
    if os.geteuid() != 0:
        return "needs root"
    missing = sorted(package for command, package in _PACKAGES.items() if shutil.which(command) is None)
    return f"needs packages that are not installed: {', '.join(missing)}" if missing else ""


def up() -> None:
    """Start the engine unless it is running.

    Raises:
        StartError: The engine does not start. The message contains the end of its log.
    """
    _LAYOUT.make()
    if pid_of(_LAYOUT, _NAME) is None:
        # A killed engine leaves these files behind, and the next engine would mistake it for a running one. Its
        # containerd died with it.
        for stale in (_PID_FILE, _EXEC / "containerd" / "containerd.pid"):
            stale.unlink(missing_ok=True)
    if not _has_bridge():
        _ip("link", "add", _BRIDGE, "type", "bridge")
        _ip("address", "add", _ADDRESS, "dev", _BRIDGE)
        _ip("link", "set", _BRIDGE, "up")
    options = {
        "data-root": _LAYOUT.root / "data",
        "exec-root": _EXEC,
        "pidfile": _PID_FILE,
        "host": HOST,
        "bridge": _BRIDGE,
        "cgroup-parent": _CGROUP,
        # Published ports suffice to reach containers, so the machine's firewall is not changed.
        "iptables": "false",
        "ip-forward": "false",
    }
    command = [_NAME, *(f"--{name}={value}" for name, value in options.items())]
    start(_LAYOUT, _NAME, command, _answers, within=lambda arguments: [*map(str, arguments)])


def down() -> None:
    """Stop the engine and remove its containers, images, network, cgroups and files.

    Raises:
        StartError: The engine was killed and cannot start again, so its containers cannot be removed.
    """
    if not _LAYOUT.root.exists():
        return
    if pid_of(_LAYOUT, _NAME) is None:
        up()
    if containers := _docker("ps", "--all", "--quiet").split():
        _docker("rm", "--force", "--volumes", *containers)
    stop(_LAYOUT, _NAME)
    if _has_bridge():
        _ip("link", "delete", _BRIDGE)
    for cgroup in (path for path in Path("/sys/fs/cgroup").glob(f"**/{_CGROUP}") if path.is_dir()):
        _remove(cgroup)
    unmount_below(_LAYOUT.root)
    shutil.rmtree(_LAYOUT.root)


def _remove(cgroup: Path) -> None:
    # A cgroup is busy for a moment after its last process has ended.
    limit = time.monotonic() + 5
    while True:
        try:
            return cgroup.rmdir()
        except OSError:
            if time.monotonic() > limit:
                raise
            time.sleep(0.1)


def _answers() -> bool:
    with contextlib.suppress(subprocess.CalledProcessError):
        _docker("version")
        return True
    return False


def _has_bridge() -> bool:
    return Path("/sys/class/net", _BRIDGE).exists()


def _docker(*arguments: str) -> str:
    return subprocess.run(["docker", "--host", HOST, *arguments], check=True, capture_output=True, text=True).stdout


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True)
