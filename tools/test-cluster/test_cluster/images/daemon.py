"""Runs a Docker engine on a machine without one. All its files are in one folder and are removed with it.

Each command that needs it borrows it, and the last one that does stops it, so that no command leaves it running.
"""

import contextlib
import fcntl
import os
import shutil
import subprocess
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from test_cluster.node.layout import Layout
from test_cluster.node.processes import pid_of, start, stop, unmount_below

_LAYOUT = Layout(Path(__file__).parents[4] / ".data" / "docker")
_NAME = "dockerd"
_EXEC = _LAYOUT.run / "exec"
_PID_FILE = _LAYOUT.run / "docker.pid"
#: Contains the process id of an engine that keeps running until `down`.
_KEPT_FILE = _LAYOUT.run / "kept"
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


@contextmanager
def borrowed() -> Iterator[None]:
    """Run the engine, and stop it afterward unless another process uses it or it was started with `up`.

    Its images stay on the disk. Each user holds a shared lock, which the kernel releases regardless of how it exits.

    Raises:
        StartError: The engine does not start. The message contains the end of its log.
    """
    with _using() as users:
        with _changing():
            _start()
        try:
            yield
        finally:
            with contextlib.suppress(BlockingIOError):
                fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if not _is_kept():
                    with _changing():
                        _stop()


def up() -> None:
    """Start the engine unless it is running, and keep it running until `down`.

    Raises:
        StartError: The engine does not start. The message contains the end of its log.
    """
    # This is a user until the file exists, so that no last user stops the engine before it is to be kept.
    with _using(), _changing():
        _start()
        _KEPT_FILE.write_text(str(pid_of(_LAYOUT, _NAME)), encoding="ascii")


@contextmanager
def _using() -> Iterator[TextIO]:
    """Hold the shared lock of a user, and yield its file. First, wait for a last user that is stopping the engine."""
    _LAYOUT.make()
    with (_LAYOUT.run / "users.lock").open("a") as users:
        fcntl.flock(users, fcntl.LOCK_SH)
        yield users


@contextmanager
def _changing() -> Iterator[None]:
    """Hold the lock of the only process that may start or stop the engine."""
    with (_LAYOUT.run / "start.lock").open("a") as changing:
        fcntl.flock(changing, fcntl.LOCK_EX)
        yield


def _is_kept() -> bool:
    # A file of an engine that has ended, such as before a restart of the machine, says nothing about this one.
    return _KEPT_FILE.exists() and _KEPT_FILE.read_text(encoding="ascii") == str(pid_of(_LAYOUT, _NAME))


def _start() -> None:
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
    _LAYOUT.make()
    with _changing():
        if pid_of(_LAYOUT, _NAME) is None:
            _start()
        if containers := _docker("ps", "--all", "--quiet").split():
            _docker("rm", "--force", "--volumes", *containers)
        _stop()
        shutil.rmtree(_LAYOUT.root)


def _stop() -> None:
    """Stop the engine, which stops its containers and its containerd, and remove what only a running one needs."""
    stop(_LAYOUT, _NAME)
    if _has_bridge():
        _ip("link", "delete", _BRIDGE)
    for cgroup in (path for path in Path("/sys/fs/cgroup").glob(f"**/{_CGROUP}") if path.is_dir()):
        _remove(cgroup)
    unmount_below(_LAYOUT.root)


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
