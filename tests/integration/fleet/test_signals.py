"""Processes end in time, however often they are told to, from wherever, and whenever."""

import contextlib
import os
import random
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support.fleet import BIN
from support.processes import launch
from support.redis_server import RedisServer, free_port
from support.waiting import eventually

pytestmark = pytest.mark.faults

ROOT = Path(__file__).parents[3]
TIERS = ("high", "medium", "low")
SHUTDOWN_SECONDS = 5.0
#: The deadline of a worker is 20 s after its shutdown timeout; the rest is for a busy machine.
LIMIT_SECONDS = SHUTDOWN_SECONDS + 20.0 + 20.0
#: Each of the ways is tried with each process at several moments.
WAYS: dict[str, tuple[signal.Signals, ...]] = {
    "term": (signal.SIGTERM,),
    "int": (signal.SIGINT,),
    "term twice": (signal.SIGTERM, signal.SIGTERM),
    "int twice": (signal.SIGINT, signal.SIGINT),
    "int and term": (signal.SIGINT, signal.SIGTERM, signal.SIGTERM),
}


def start(process: str, url: str, directory: Path) -> "subprocess.Popen[bytes]":
    """Start a scheduler, a tier, the web process or the simulator in its own process group."""
    local = ROOT / "deploy/local"
    command: list[str | Path] = [
        *(BIN / "dramatiq", f"financehub_{process}_priority.worker", "-p", "1", "-t", "2", "--skip-logging"),
        *("--worker-shutdown-timeout", f"{SHUTDOWN_SECONDS * 1_000:.0f}"),
    ]
    if process == "scheduler":
        command = [BIN / "financehub-scheduler", "--schedules", local / "schedules"]
    elif process == "simulator":
        command = [BIN / "financehub-simulator", "--port", "0"]
    elif process == "web":
        command = [BIN / "financehub-web"]
    environment = {
        "REDIS_URL": url,
        "FINANCEHUB_HTTP_PORT": str(free_port()),
        "FINANCEHUB_HTTP_HOST": "127.0.0.1",
        "FINANCEHUB_WEB_PORT": "0",
        "FINANCEHUB_WEB_HOST": "127.0.0.1",
    }
    with (directory / "log").open("wb") as log:
        return launch(command, env=os.environ | environment, stdout=log, stderr=log, start_new_session=True)


def group_runs(group: int) -> bool:
    """Whether a process of the group exists."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, 0)
        return True
    return False


def end_with(process: "subprocess.Popen[bytes]", signals: tuple[signal.Signals, ...], chance: random.Random) -> float:
    """Send signals to the whole group, and return the seconds until all of its processes have ended."""
    started = time.monotonic()
    for number in signals:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        time.sleep(chance.uniform(0, 0.5))
    try:
        process.wait(LIMIT_SECONDS)
        eventually(lambda: not group_runs(process.pid), "the whole group has ended", LIMIT_SECONDS)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    return time.monotonic() - started


def is_ready(directory: Path, process: str) -> bool:
    """Whether the process has started."""
    line = {"scheduler": "scheduler_started", "web": "web_started"}.get(process, "ready for action")
    return line in (directory / "log").read_text()


def handles_terminate(pid: int) -> bool:
    """Whether a process has a handler for SIGTERM. Dramatiq's parent process sets it after its workers are ready."""
    status = Path(f"/proc/{pid}/status").read_text()
    caught = int(next(line for line in status.splitlines() if line.startswith("SigCgt")).split()[1], 16)
    return bool(caught & 1 << (signal.SIGTERM - 1))


def has_drained(running: "subprocess.Popen[bytes]", directory: Path, process: str) -> bool:
    """Whether a process has exited with 0, or was dramatiq's parent process at its very end.

    This process has nothing to do after its worker has ended, but the interpreter restores the default handlers before
    it exits, and dramatiq's command loads none of our code that could prevent that.
    """
    if process in TIERS and running.returncode == -signal.SIGTERM:
        return "Worker has been shut down." in (directory / "log").read_text()
    return running.returncode == 0


@pytest.fixture
def server(redis_server: Callable[..., RedisServer]) -> Iterator[RedisServer]:
    """A Redis that the test may hang."""
    server = redis_server()
    yield server
    server.resume()


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("process", ["scheduler", "web", *TIERS])
def test_process_with_signals_to_its_group_ends(server: RedisServer, tmp_path: Path, process: str, way: str) -> None:
    """A whole group gets the signals of a service manager while the process works: it drains and exits with 0."""
    running = start(process, server.url, tmp_path)
    eventually(lambda: is_ready(tmp_path, process), "the process is ready")
    eventually(lambda: handles_terminate(running.pid), "the process handles its signals")
    end_with(running, WAYS[way], random.Random(way))
    assert has_drained(running, tmp_path, process), (running.returncode, (tmp_path / "log").read_text()[-2_000:])


@pytest.mark.parametrize("process", ["scheduler", "web", *TIERS])
def test_process_with_signals_until_its_end_drains(server: RedisServer, tmp_path: Path, process: str) -> None:
    """Signals that arrive while the interpreter ends, after its handlers are gone, do not make the exit a failure.

    Only the parent process of dramatiq's command may then die of the signal, after its worker has drained.
    """
    running = start(process, server.url, tmp_path)
    eventually(lambda: is_ready(tmp_path, process), "the process is ready")
    eventually(lambda: handles_terminate(running.pid), "the process handles its signals")
    limit = time.monotonic() + LIMIT_SECONDS
    while running.poll() is None and time.monotonic() < limit:
        os.killpg(running.pid, signal.SIGTERM)
        time.sleep(0.001)
    end_with(running, (), random.Random(process))
    assert has_drained(running, tmp_path, process), (running.returncode, (tmp_path / "log").read_text()[-2_000:])


@pytest.mark.parametrize("seed", range(12))
def test_process_with_signals_during_its_start_ends(server: RedisServer, tmp_path: Path, seed: int) -> None:
    """At random moments of a start, in any way, with a working and with a hung Redis, no process remains."""
    chance = random.Random(seed)
    process = ["scheduler", *TIERS][seed % 4]
    if seed % 3 == 2:
        server.hang()
    running = start(process, server.url, tmp_path)
    time.sleep(chance.uniform(0, 4))
    end_with(running, chance.choice(list(WAYS.values())), chance)


@pytest.mark.parametrize("process", ["scheduler", *TIERS])
def test_process_with_a_hung_redis_ends(server: RedisServer, tmp_path: Path, process: str) -> None:
    """A process whose Redis hangs ends too, after a double signal."""
    running = start(process, server.url, tmp_path)
    eventually(lambda: is_ready(tmp_path, process), "the process is ready")
    eventually(lambda: handles_terminate(running.pid), "the process handles its signals")
    server.hang()
    end_with(running, WAYS["term twice"], random.Random(process))
    assert running.returncode == 0, (tmp_path / "log").read_text()[-2_000:]


def test_scheduler_with_a_signal_while_it_waits_for_redis_exits_with_0(server: RedisServer, tmp_path: Path) -> None:
    """A scheduler whose Redis hangs when it starts handles its signals before it waits for Redis."""
    server.hang()
    running = start("scheduler", server.url, tmp_path)
    eventually(lambda: handles_terminate(running.pid), "the process handles its signals")
    assert not is_ready(tmp_path, "scheduler")
    end_with(running, WAYS["term"], random.Random(0))
    assert running.returncode == 0, (tmp_path / "log").read_text()[-2_000:]


@pytest.mark.parametrize("process", ["scheduler", "high", "web", "simulator"])
def test_process_of_a_container_keeps_a_signal_from_before_its_handler(
    server: RedisServer, tmp_path: Path, process: str
) -> None:
    """Containers start with SIGTERM blocked. If it arrives before the first line of Python, the process exits with 0.

    A worker gets it a second time, because its group has two processes.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    try:
        running = start(process, server.url, tmp_path)
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
    end_with(running, WAYS["term"], random.Random(0))
    assert running.returncode == 0, (tmp_path / "log").read_text()[-2_000:]


EARLY = """
import os, signal
import dramatiq
import financehub_low_priority.worker

class Second(dramatiq.Middleware):
    def after_process_boot(self, broker):
        os.kill(os.getpid(), signal.SIGTERM)

# hooks that follow an event are called from the last middleware to the first
broker = dramatiq.get_broker()
broker.add_middleware(Second(), before=type(broker.middleware[0]))
os.kill(os.getpid(), signal.SIGTERM)
"""


def test_worker_with_one_signal_before_and_one_after_its_boot_drains(server: RedisServer, tmp_path: Path) -> None:
    """A signal that arrives before our handler is installed counts as the first one, so the next one kills nothing."""
    (tmp_path / "early.py").write_text(EARLY)
    environment = {"REDIS_URL": server.url, "FINANCEHUB_HTTP_PORT": "0", "PYTHONPATH": str(tmp_path)}
    command: list[str | Path] = [BIN / "dramatiq", "early", "-p", "1", "-t", "2", "--skip-logging"]
    with (tmp_path / "log").open("wb") as log:
        running = launch(command, env=os.environ | environment, stdout=log, stderr=log, start_new_session=True)
    try:
        running.wait(120)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(running.pid, signal.SIGKILL)
    text = (tmp_path / "log").read_text()
    assert "Worker has been shut down" in text, text[-2_000:]
    assert "Killing worker process" not in text
