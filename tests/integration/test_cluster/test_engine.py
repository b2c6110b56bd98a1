"""Tests that a Docker engine that a command starts for itself stops with its last user.

Each test uses a copy of the package, because the engine's files are in the folder of the package's checkout.
"""

import fcntl
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from support.processes import end, launch
from support.waiting import eventually
from test_cluster.images import daemon

_PACKAGE = Path(__file__).parents[3] / "tools/test-cluster"
_TESTS = Path(__file__).parents[2]
#: A program that uses the engine until its input ends.
_USER = """
import sys
from test_cluster.images.engine import engine
with engine() as docker:
    print(docker.run("info", "--format", "{{.DockerRootDir}}").strip(), flush=True)
    sys.stdin.read()
"""


@pytest.fixture(scope="module", autouse=True)
def _requirements() -> None:
    lacking = daemon.lacking() or ("" if shutil.which("docker") else "needs the command docker")
    if lacking:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(f"the engine of the tests {lacking}")


@pytest.fixture
def checkout() -> Iterator[Path]:
    """A folder with a copy of the package. Its path is short, because the paths of sockets are limited."""
    with tempfile.TemporaryDirectory(prefix="fh") as folder:
        copy = Path(folder)
        shutil.copytree(_PACKAGE, copy / "tools/test-cluster", ignore=shutil.ignore_patterns("__pycache__"))
        yield copy
        _run(copy, "-m", "test_cluster.images", "down")


def _environment(checkout: Path) -> dict[str, str]:
    path = os.pathsep.join(map(str, (checkout / "tools/test-cluster", _TESTS)))
    others = {name: value for name, value in os.environ.items() if not name.startswith("DOCKER_")}
    # Docker's own settings must not name an engine of the machine.
    return {**others, "PYTHONPATH": path, "DOCKER_CONFIG": str(checkout)}


def _run(checkout: Path, *arguments: str) -> str:
    command = [sys.executable, *arguments]
    done = subprocess.run(command, env=_environment(checkout), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@contextmanager
def _user(checkout: Path) -> Iterator["subprocess.Popen[str]"]:
    command = [sys.executable, "-c", _USER]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with launch(command, env=_environment(checkout), text=True, **pipes) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline().strip() == str(checkout / ".data/docker/data")
            yield process
        finally:
            end(process)


def _finish(process: "subprocess.Popen[str]") -> None:
    process.communicate()
    assert process.returncode == 0


def _processes(checkout: Path) -> list[str]:
    """Return the programs that run with files of the checkout: dockerd, containerd and its shims."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            arguments = (process / "cmdline").read_bytes().decode(errors="replace").split("\0")
        except (FileNotFoundError, ProcessLookupError):
            continue
        if any(str(checkout) in argument for argument in arguments[1:]):
            found.append(Path(arguments[0]).name)
    return sorted(found)


def _networks() -> set[str]:
    return {path.name for path in Path("/sys/class/net").iterdir() if path.name.startswith("financehub")}


def test_engine_stops_with_the_command_that_started_it(checkout: Path) -> None:
    """The engine and its containerd run while a command uses them, and no process or network is left afterward."""
    before = _networks()
    with _user(checkout) as user:
        assert _processes(checkout) == ["containerd", "dockerd"]
        _finish(user)
    assert _processes(checkout) == []
    assert _networks() == before


def test_engine_runs_until_its_last_user_ends(checkout: Path) -> None:
    """A command that ends does not stop the engine that another one uses, even if the other one did not start it."""
    with _user(checkout) as first, _user(checkout) as second:
        _finish(first)
        assert _processes(checkout) == ["containerd", "dockerd"]
        _finish(second)
    assert _processes(checkout) == []


def test_engine_of_a_killed_command_stops_with_the_next_one(checkout: Path) -> None:
    """A command that is killed leaves the engine running, and the next one that uses it stops it."""
    with _user(checkout) as killed:
        killed.send_signal(signal.SIGKILL)
        killed.wait()
    with _user(checkout) as user:
        _finish(user)
    eventually(lambda: not _processes(checkout), "the engine has stopped", 60)


def test_engine_that_was_started_to_stay_runs_until_down(checkout: Path) -> None:
    """The command `up` starts an engine that no user stops, and `down` stops it."""
    _run(checkout, "-m", "test_cluster.images", "up")
    with _user(checkout) as user:
        _finish(user)
    assert _processes(checkout) == ["containerd", "dockerd"]
    _run(checkout, "-m", "test_cluster.images", "down")
    assert _processes(checkout) == []


def test_engine_that_is_to_stay_waits_for_a_last_user_that_stops_it(checkout: Path) -> None:
    """The command `up` starts the engine only after the process that is stopping it, and the engine then stays."""
    with _user(checkout) as user:
        _finish(user)
    command = [sys.executable, "-m", "test_cluster.images", "up"]
    with (checkout / ".data/docker/run/users.lock").open("a") as users:
        # The last user holds this lock while it stops the engine.
        fcntl.flock(users, fcntl.LOCK_EX)
        with launch(command, env=_environment(checkout)) as process:
            eventually(lambda: _waits_for_a_lock(process.pid), "the command waits", 60)
            assert _processes(checkout) == []
            fcntl.flock(users, fcntl.LOCK_UN)
            assert process.wait(120) == 0
    assert _processes(checkout) == ["containerd", "dockerd"]


def _waits_for_a_lock(pid: int) -> bool:
    """Whether a process is blocked by a lock of a file, which proc_locks(5) marks with an arrow."""
    lines = Path("/proc/locks").read_text(encoding="ascii").splitlines()
    return any(line.split()[1] == "->" and line.split()[5] == str(pid) for line in lines)
