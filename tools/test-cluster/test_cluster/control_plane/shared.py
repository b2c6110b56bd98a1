"""Shares one control plane among all processes of a test run. It outlives the process that first needed it.

A keeper process owns it. Each user holds a shared lock, which the kernel releases regardless of how the user exits.
When the keeper gets the exclusive lock, no user is left, and it stops the servers.
"""

import fcntl
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from test_cluster.control_plane.cluster import Cluster
from test_cluster.control_plane.control_plane import start_control_plane
from test_cluster.control_plane.daemon import DaemonError

_ROOT = Path(__file__).parents[4]
#: This package, and the test helpers that it uses.
_PYTHONPATH = os.pathsep.join(str(_ROOT / folder) for folder in ("tools/test-cluster", "tests"))


@contextmanager
def shared_control_plane(directory: Path) -> Iterator[Cluster]:
    """Use the control plane of a directory. The first user starts it.

    Args:
        directory: Directory that is the same for all processes of a run.

    Raises:
        DaemonError: It does not start.
    """
    directory.mkdir(exist_ok=True)
    with (directory / "users.lock").open("a") as users:
        with (directory / "start.lock").open("a") as starting:
            fcntl.flock(starting, fcntl.LOCK_EX)
            # Waits for a keeper that is stopping.
            fcntl.flock(users, fcntl.LOCK_SH)
            state = directory / "state.json"
            if not state.exists():
                state.write_text(_start_keeper(directory), encoding="utf-8")
            location = json.loads(state.read_text(encoding="utf-8"))
        cluster = Cluster(Path(location["directory"]), location["server"])
        yield cluster
        cluster.close()


def _start_keeper(directory: Path) -> str:
    command = [sys.executable, "-m", "test_cluster.control_plane.shared", str(directory)]
    started = subprocess.run(
        command, env={**os.environ, "PYTHONPATH": _PYTHONPATH}, capture_output=True, text=True, check=False
    )
    if not started.stdout:
        raise DaemonError(started.stderr)
    return started.stdout


def _keep(directory: Path) -> None:
    """Start the control plane, print its location, and stop it when its last user has exited."""
    # Detach from the process that started the keeper, because that process may exit first.
    if os.fork():
        os._exit(0)
    os.setsid()
    plane = start_control_plane(Path(tempfile.mkdtemp(dir=directory)) / "control-plane")
    sys.stdout.write(json.dumps({"directory": str(plane.directory), "server": plane.server}))
    sys.stdout.flush()
    # The reader of the output waits until both streams are closed.
    with Path(os.devnull).open("w") as nothing:
        for stream in (sys.stdout, sys.stderr):
            os.dup2(nothing.fileno(), stream.fileno())
    with (directory / "users.lock").open("a") as users:
        fcntl.flock(users, fcntl.LOCK_EX)
        (directory / "state.json").unlink()
        plane.stop()


if __name__ == "__main__":
    _keep(Path(sys.argv[1]))
