"""How `make run` reacts to the ends of its processes and to signals while it starts."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from local_run.process import Process
from local_run.supervisor import Supervisor, _Watched
from support.processes import end, launch
from support.redis_server import free_port
from support.waiting import eventually

FOLDER = Path(__file__).parents[3] / "deploy/local"
PROGRAM = """
import os, pathlib, sys
from functools import partial
from local_run.output import Terminal
from local_run.process import Process
from local_run.readiness import await_ready
from local_run.supervisor import Supervisor

folder = pathlib.Path({folder!r})
terminal = Terminal()
build = lambda name, command: Process(name, command, os.environ, folder, partial(terminal.line, name))
supervisor = Supervisor(
    backing=[build("redis", command) for command in {backing!r}],
    services=[build("high", command) for command in {services!r}],
    terminal=terminal,
    await_ready=partial(await_ready, env={{"REDIS_URL": "redis://127.0.0.1:{port}"}}),
)
if {backing!r}:
    print("starting", flush=True)
code = supervisor.run(lambda: None)
print("reason:", supervisor.reason)
raise SystemExit(code)
"""
Start = Callable[..., "tuple[subprocess.Popen[bytes], Path]"]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Return a function that starts a supervisor of shell commands, and returns it with the file of its output."""
    running: list[subprocess.Popen[bytes]] = []

    def run(*services: str, backing: tuple[str, ...] = ()) -> "tuple[subprocess.Popen[bytes], Path]":
        program = PROGRAM.format(folder=str(tmp_path), backing=backing, services=services, port=free_port())
        environment = os.environ | {"PYTHONPATH": str(FOLDER), "PYTHONUNBUFFERED": "1"}
        with (tmp_path / "output").open("wb") as output:
            running.append(launch([sys.executable, "-c", program], env=environment, stdout=output, stderr=output))
        return running[-1], tmp_path / "output"

    yield run
    for process in running:
        end(process)


def test_process_that_cannot_import_its_module_is_restarted(start: Start) -> None:
    """Dramatiq exits with 2 as well, for example for a syntax error that a developer is about to correct."""
    process, output = start("[ -e mark ] && exec sleep 600; touch mark; echo SyntaxError: invalid syntax; exit 2")
    eventually(lambda: output.read_text().count("high started") == 2, "it is started again", 60)
    assert "high ended with exit code 2; restarted in 2 s" in output.read_text()
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 0, output.read_text()


def test_process_with_an_invalid_setting_ends_everything(start: Start) -> None:
    """A restart does not change a setting, so the reason of the process is the last line."""
    process, output = start("echo 'financehub: REDIS_URL is invalid'; echo 'a line of dramatiq'; exit 2")
    assert process.wait(60) == 2
    reason = "high ended with exit code 2, because a setting is invalid: financehub: REDIS_URL is invalid"
    assert output.read_text().splitlines()[-1] == f"reason: {reason}"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_while_redis_starts_ends_the_wait(start: Start, number: signal.Signals) -> None:
    """Ctrl-C is followed at once, and the reason is the signal and not Redis."""
    process, output = start(backing=("exec sleep 600",))
    eventually(lambda: "starting" in output.read_text(), "it waits", 60)
    # its signal handlers are installed before it starts Redis
    eventually(lambda: "sleep" in _commands_of(process.pid), "Redis is started", 60)
    process.send_signal(number)
    assert process.wait(60) == 0, output.read_text()
    assert output.read_text().splitlines()[-1] == f"reason: stopped by {number.name}"


def _commands_of(parent: int) -> str:
    lines = subprocess.run(["ps", "-eo", "ppid=,args="], capture_output=True, text=True, check=True).stdout.splitlines()
    return "\n".join(line for line in lines if line.split()[0] == str(parent))


@pytest.mark.parametrize("is_backing", [True, False])
def test_pause_doubles_with_each_failure_and_redis_is_given_up(tmp_path: Path, is_backing: bool) -> None:
    """Each pause is twice as long, up to 30 s. Nothing works without Redis, so its sixth failure ends all (F21)."""
    lines: list[str] = []
    terminal: Any = SimpleNamespace(line=lambda _, text: lines.append(text))
    process = Process("redis", "exit 1", os.environ, tmp_path, lambda _: None)
    supervisor = Supervisor([process] if is_backing else [], [], terminal, lambda *_: "")
    watched = _Watched(process)
    codes = []
    for _ in range(6):
        process.start()
        eventually(lambda: process.exit_code() is not None, "it ends")
        codes.append(supervisor._on_end(watched))
    pauses = [2, 4, 8, 16, 30] if is_backing else [2, 4, 8, 16, 30, 30]
    assert lines == [f"redis ended with exit code 1; restarted in {pause} s" for pause in pauses]
    assert codes == [0] * 5 + [1 if is_backing else 0]
    expected = "redis ended with exit code 1, for the 6th time in a row; see .data/redis.log" if is_backing else ""
    assert supervisor.reason == expected


def test_pause_after_a_healthy_time_is_the_first_one_again(tmp_path: Path) -> None:
    """A process that has run for a minute has not failed in a row."""
    lines: list[str] = []
    terminal: Any = SimpleNamespace(line=lambda _, text: lines.append(text))
    process = Process("high", "exit 1", os.environ, tmp_path, lambda _: None)
    supervisor, watched = Supervisor([], [process], terminal, lambda *_: ""), _Watched(process)
    for age in (0, 0, 61, 0):
        process.start()
        eventually(lambda: process.exit_code() is not None, "it ends")
        process.started_at -= age
        supervisor._on_end(watched)
    assert [line.split()[-2] for line in lines] == ["2", "4", "2", "4"]


#: Runs one supervisor after another. Each gets a signal at another call of a function in the main thread.
INTERRUPTED = """
import signal, sys, types
from local_run.supervisor import Supervisor

terminal = types.SimpleNamespace(line=lambda name, text: None)
for number in range(1, 12):
    calls = 0
    def interrupt(frame, event, argument):
        global calls
        calls += 1
        if calls == number:
            signal.raise_signal(signal.SIGTERM)
    assert Supervisor([], [], terminal, None).run(lambda: sys.setprofile(interrupt)) == 0
    sys.setprofile(None)
    assert calls >= number
print("done")
"""


def test_signal_inside_a_call_of_the_standard_library_stops_it() -> None:
    """The handler takes no lock, which the interrupted call might hold: with `Event.set`, it waited forever."""
    environment = os.environ | {"PYTHONPATH": str(FOLDER)}
    command = [sys.executable, "-c", INTERRUPTED]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (0, "done\n"), done.stderr
