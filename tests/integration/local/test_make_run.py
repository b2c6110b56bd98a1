"""Kills the processes of `make run`, and stops it in every way."""

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis

from local_run.environment import lock_folder
from support.processes import launch
from support.redis_server import free_port, free_ports
from support.waiting import eventually

#: The supervisor may take 45 s for each of its three stages of stopping.
pytestmark = [pytest.mark.faults, pytest.mark.timeout(600)]

ROOT = Path(__file__).parents[3]
SERVICES = ("scheduler", "high", "medium", "low", "web")
#: Includes the start of seven processes on a busy machine.
START_SECONDS = 120.0
STOP_SECONDS = 180.0


class MakeRun:
    """`make run` with its own ports and data.

    Args:
        folder: Folder of its output and its data.
        environment: Additional environment variables.
    """

    def __init__(self, folder: Path, **environment: str) -> None:
        self.output = folder / "output"
        self.redis_port, self.simulator_port = free_port(), free_port()
        self.http_port = free_ports(6)
        #: Process id → when the process was started, which no later process with the same id has.
        self._seen: dict[int, str] = {}
        (folder / "redis").mkdir(exist_ok=True)
        ports = {
            "REDIS_PORT": str(self.redis_port),
            "SIMULATOR_PORT": str(self.simulator_port),
            "HTTP_PORT": str(self.http_port),
            "REDIS_DIR": str(folder / "redis"),
        }
        with self.output.open("wb") as output:
            self.process = launch(
                [sys.executable, str(ROOT / "deploy/local/run.py")],
                cwd=ROOT,
                env=os.environ | ports | environment,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    @property
    def ports(self) -> set[int]:
        """The ports of all processes."""
        return {self.redis_port, self.simulator_port, *range(self.http_port, self.http_port + 6)}

    def text(self) -> str:
        """Return the output."""
        return self.output.read_text(errors="replace")

    def pids(self, name: str) -> list[int]:
        """Return the process ids with which a process was started, the newest one last."""
        return [int(pid) for pid in re.findall(rf"{name} started \(pid=(\d+)\)", self.text())]

    def started(self) -> bool:
        """Whether all services serve."""
        assert self.process.poll() is None, self.text()[-3_000:]
        if not all(_listens(port) for port in self.ports):
            return False
        self.descendants()
        return True

    def descendants(self) -> set[int]:
        """Return the ids of all processes that it has started, in any session."""
        found, new = set[int](), {self.process.pid}
        while new:
            new = {pid for pid, parent in _parents().items() if parent in new} - found
            found |= new
        self._seen |= {pid: _started_at(pid) for pid in found}
        return found

    def end(self) -> None:
        """Kill whatever is left, including processes whose parent has gone."""
        self.descendants()
        running = _parents()
        for pid, started_at in self._seen.items():
            if pid in running and _started_at(pid) == started_at:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()


def _parents() -> dict[int, int]:
    lines = subprocess.run(["ps", "-eo", "pid=,ppid="], capture_output=True, text=True, check=True).stdout.splitlines()
    return {int(pid): int(parent) for pid, parent in (line.split() for line in lines)}


def _started_at(pid: int) -> str:
    """Return when a process was started, in ticks, as far as this system says so."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    return ""


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture
def make_run(tmp_path: Path) -> Iterator[Callable[..., MakeRun]]:
    """Return a function that starts `make run`; what is left of it is killed after the test."""
    running: list[MakeRun] = []

    def start(**environment: str) -> MakeRun:
        running.append(MakeRun(tmp_path, **environment))
        return running[-1]

    yield start
    for one in running:
        one.end()


def listening_addresses(ports: set[int]) -> set[str]:
    """Return the addresses on which this machine listens with one of the ports, as /proc/net shows them."""
    found = set()
    for table, family in (("/proc/net/tcp", socket.AF_INET), ("/proc/net/tcp6", socket.AF_INET6)):
        for line in Path(table).read_text().splitlines()[1:] if Path(table).exists() else ():
            _, local, _, state, *_ = line.split()
            address, _, port = local.partition(":")
            if state == "0A" and int(port, 16) in ports:
                words = bytes.fromhex(address)
                # each word of four bytes is in the byte order of the machine
                octets = b"".join(words[at : at + 4][::-1] for at in range(0, len(words), 4))
                found.add(socket.inet_ntop(family, octets))
    return found


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_make_run_listens_on_loopback_restarts_what_is_killed_and_stops(make_run: Callable[..., MakeRun]) -> None:
    """No process listens beyond loopback. Every killed process is restarted, with the reason. Ctrl-C ends all."""
    run = make_run()
    eventually(run.started, "all processes serve", START_SECONDS)
    assert {"127.0.0.1"} <= listening_addresses(run.ports) <= {"127.0.0.1", "::1"}
    with redis.Redis(port=run.redis_port) as client:
        client.set("kept", "1")
    for name in SERVICES:
        (pid,) = run.pids(name)
        os.kill(pid, signal.SIGKILL)
        eventually(lambda name=name: f"{name} was killed by SIGKILL; restarted in 2 s" in run.text(), within=60)
        eventually(lambda name=name: len(run.pids(name)) == 2, f"{name} is started again", 60)
    eventually(run.started, "all processes serve again", START_SECONDS)
    for name in ("redis", "simulator"):
        _kill_listener(run, name)
        eventually(lambda name=name: f"{name} was killed by SIGKILL; restarted in 2 s" in run.text(), within=60)
        eventually(lambda name=name: run.pids(name), f"{name} is started again", 60)
    eventually(run.started, "all processes serve again", START_SECONDS)
    with redis.Redis(port=run.redis_port) as client:
        assert client.get("kept") == b"1"
    descendants = run.descendants()
    assert len(descendants) >= 6
    run.process.send_signal(signal.SIGINT)
    assert run.process.wait(STOP_SECONDS) == 0
    assert "sending SIGKILL" not in run.text()
    assert not descendants & {*_parents()}


def _kill_listener(run: MakeRun, name: str) -> None:
    """Kill Redis or the simulator, which print no process id when they start for the first time."""
    program = {"redis": "redis-server", "simulator": "financehub-simulator"}[name]
    for pid in run.descendants():
        with contextlib.suppress(OSError):
            if program in Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " "):
                os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize(
    "signals",
    [
        pytest.param([signal.SIGTERM], id="term"),
        pytest.param([signal.SIGTERM, signal.SIGTERM], id="term-twice"),
        pytest.param([signal.SIGHUP], id="terminal-closed"),
        pytest.param([signal.SIGINT, None, signal.SIGINT], id="ctrl-c-twice"),
    ],
)
def test_make_run_that_is_stopped_leaves_no_process(
    make_run: Callable[..., MakeRun], signals: list[signal.Signals | None]
) -> None:
    """However it is stopped, during its start too, no process remains."""
    run = make_run()
    eventually(lambda: run.pids("low"), "all processes are started", START_SECONDS)
    descendants = run.descendants()
    for number in signals:
        if number is None:
            time.sleep(1.2)  # the second Ctrl-C must come later than a repetition of the first one
        elif run.process.poll() is None:
            run.process.send_signal(number)
    assert run.process.wait(STOP_SECONDS) == 0, run.text()[-2_000:]
    assert not descendants & {*_parents()}
    assert isinstance(signals[0], signal.Signals)
    assert run.text().splitlines()[-1] == f"make run: stopped by {signals[0].name}"


@pytest.mark.skipif(sys.platform != "linux", reason="real-time signals")
def test_make_run_names_any_signal_and_ends_suspended_processes_in_time(make_run: Callable[..., MakeRun]) -> None:
    """A signal without a name is shown by its number. A process that somebody has suspended drains like the others."""
    run = make_run()
    eventually(run.started, "all processes serve", START_SECONDS)
    os.kill(run.pids("low")[0], 35)
    eventually(lambda: "low was killed by signal 35; restarted in 2 s" in run.text(), within=60)
    eventually(lambda: len(run.pids("low")) == 2, "low is started again", 60)
    os.kill(run.pids("high")[0], signal.SIGSTOP)
    descendants = run.descendants()
    run.process.send_signal(signal.SIGTERM)
    assert run.process.wait(STOP_SECONDS) == 0, run.text()[-2_000:]
    assert "sending SIGKILL" not in run.text()
    assert not descendants & {*_parents()}


def test_second_make_run_with_the_same_data_is_refused(tmp_path: Path) -> None:
    """Two servers would damage the data, even on different ports. The data of the first one is not touched."""
    with lock_folder(tmp_path / "redis") as lock:
        assert lock is not None
        second = MakeRun(tmp_path)
        try:
            assert second.process.wait(START_SECONDS) == 2
        finally:
            second.end()
    (line,) = second.text().splitlines()
    assert line == (f"make run: another `make run` uses {tmp_path}/redis; stop it, or set REDIS_DIR to another folder")


def test_make_run_with_data_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    """A path that is not a folder is an invalid setting, with one line that names it."""
    (tmp_path / "file").write_text("x")
    run = MakeRun(tmp_path, REDIS_DIR=str(tmp_path / "file"))
    try:
        assert run.process.wait(START_SECONDS) == 2
    finally:
        run.end()
    (line,) = run.text().splitlines()
    assert line.startswith(f"make run: {tmp_path}/file cannot be used for the data of Redis: ")


def test_make_run_with_an_invalid_setting_ends_with_the_reason(make_run: Callable[..., MakeRun]) -> None:
    """A setting that every process refuses is not retried. The last line names a process and the reason."""
    run = make_run(FINANCEHUB_MAX_DELIVERIES="none")
    assert run.process.wait(START_SECONDS) == 2
    last = run.text().splitlines()[-1]
    assert re.match(r"make run: \w+ ended with exit code 2, because a setting is invalid: ", last), last
    assert "FINANCEHUB_MAX_DELIVERIES" in last
    assert "restarted" not in run.text()


def test_make_run_that_is_killed_takes_its_processes_along(make_run: Callable[..., MakeRun]) -> None:
    """If it is killed itself, Linux ends its processes, so that they do not keep its ports."""
    run = make_run()
    eventually(run.started, "all processes serve", START_SECONDS)
    descendants = run.descendants()
    run.process.kill()
    run.process.wait()
    eventually(lambda: not descendants & {*_parents()}, "all processes have ended", 60)
