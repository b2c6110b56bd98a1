"""Tests of the supervisor with real child processes, which are small programs instead of companions."""

import asyncio
import errno
import gc
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from financehub_scheduler.link.channel import Channel
from financehub_scheduler.link.spawn import Started, execute, fork
from financehub_scheduler.link.supervisor import (
    EXIT_SECONDS,
    FIRST_START_SECONDS,
    PAUSE_SECONDS,
    SILENCE_SECONDS,
    START_SECONDS,
    Supervisor,
)
from financehub_scheduler.link.wire import Message, Watching
from financehub_shared.core.clock import ManualClock, SystemClock
from support.chart import RELEASE, render
from support.waiting import eventually

#: What each program begins with.
_HEAD = """
import asyncio, os, signal, socket, sys, time
from financehub_scheduler.link.channel import Channel
from financehub_scheduler.link.wire import Ready, Stop, Watching

async def main():
    channel = await Channel.open(socket.socket(fileno=int(sys.argv[1])))
"""
#: Name → what a program does.
PROGRAMS = {
    "works": """
    channel.send(Ready())
    receiving = asyncio.create_task(channel.receive())
    while not receiving.done():
        channel.send(Watching(0.0, absent=False))
        await asyncio.wait([receiving], timeout=0.2)
""",
    "hangs": """
    await channel.send_and_wait(Ready())
    time.sleep(600)
""",
    "hangs at the end": """
    channel.send(Ready())
    await channel.receive()
    time.sleep(600)
""",
    "hangs at its start": """
    time.sleep(600)
""",
    "reports and dies": """
    channel.send(Ready())
    await channel.send_and_wait(Watching(1.0, absent=False))
    os.kill(os.getpid(), signal.SIGKILL)
""",
    "sends garbage": """
    await channel.send_and_wait(Ready())
    channel._writer.write(b"\\0\\0\\0\\1x")
    time.sleep(600)
""",
    "refuses its configuration": """
    sys.exit(2)
""",
    "fails": """
    sys.exit(1)
""",
}


class Session:
    """Remembers what the supervisor says."""

    def __init__(self) -> None:
        self.begun = self.over = 0
        self.messages: list[Message] = []

    def begin(self, channel: Channel) -> None:
        self.begun += 1

    def received(self, message: Message) -> None:
        self.messages.append(message)

    def ended(self) -> None:
        self.over += 1


class Programs:
    """Starts programs in a given order, the last of them again and again."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.children: list[subprocess.Popen[bytes]] = []

    def start(self) -> Started:
        """Start the next program."""
        name = self.names.pop(0) if len(self.names) > 1 else self.names[0]
        ours, theirs = socket.socketpair()
        code = f"{_HEAD}{PROGRAMS[name]}\nasyncio.run(main())"
        command = [sys.executable, "-c", code, str(theirs.fileno())]
        with theirs:
            self.children.append(subprocess.Popen(command, pass_fds=(theirs.fileno(),), stderr=subprocess.DEVNULL))
        return Started(self.children[-1], ours)


@pytest.fixture
def programs() -> Iterator[Programs]:
    """The programs of a test. They are killed after it."""
    found = Programs()
    yield found
    for child in found.children:
        child.kill()
        child.wait()


async def until(condition: Callable[[], object]) -> None:
    """Wait until a condition holds."""
    async with asyncio.timeout(120):
        while not condition():  # noqa: ASYNC110 — real processes are waited for
            await asyncio.sleep(0.02)


@pytest.mark.parametrize("first", ["reports and dies", "sends garbage", "hangs"])
async def test_companion_that_ends_or_hangs_is_replaced(programs: Programs, first: str) -> None:
    """The next one starts when the one before is gone, and the session begins again."""
    programs.names = [first, "works"]
    session = Session()
    supervisor = Supervisor(programs.start, None, session, SystemClock(), silence_seconds=10.0)
    await supervisor.open()
    task = asyncio.create_task(supervisor.run())
    await until(lambda: session.begun == 2)
    dead, alive = programs.children[:2]
    assert dead.poll() is not None
    assert alive.poll() is None
    assert (Watching(1.0, absent=False) in session.messages) == (first == "reports and dies")
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await supervisor.stop()
    assert alive.poll() == 0


async def test_companion_that_hangs_at_the_end_is_killed(programs: Programs, monkeypatch: pytest.MonkeyPatch) -> None:
    """A shutdown does not wait for it longer than its time."""
    monkeypatch.setattr("financehub_scheduler.link.supervisor.STOP_SECONDS", 0.5)
    programs.names = ["hangs at the end"]
    supervisor = Supervisor(programs.start, None, Session(), SystemClock())
    await supervisor.open()
    await supervisor.stop()
    assert programs.children[0].poll() == -signal.SIGKILL


async def test_companion_that_refuses_its_configuration_ends_the_scheduler(programs: Programs) -> None:
    """It has printed the reason, so the engine process ends with the same exit code and without another line."""
    programs.names = ["refuses its configuration"]
    supervisor = Supervisor(programs.start, None, Session(), SystemClock())
    with pytest.raises(SystemExit) as error:
        await supervisor.open()
    assert error.value.code == 2


async def test_later_companion_that_refuses_its_configuration_is_replaced(programs: Programs) -> None:
    """An earlier one has accepted the same configuration, so the engine fires on, and the next one may work again."""
    programs.names = ["reports and dies", "refuses its configuration", "works"]
    session = Session()
    supervisor = Supervisor(programs.start, None, session, SystemClock())
    await supervisor.open()
    task = asyncio.create_task(supervisor.run())
    await until(lambda: session.begun == 2 or task.done())
    assert (task.done(), [child.poll() for child in programs.children]) == (False, [-signal.SIGKILL, 2, None])
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await supervisor.stop()


class Ended:
    """A child process that has ended before anybody looks."""

    pid = 0

    def poll(self) -> int | None:
        """Return an exit code."""
        return 1

    def kill(self) -> None:
        """Do nothing."""


class Pauses(ManualClock):
    """Remembers the pauses, and ends the supervisor after a number of them."""

    def __init__(self, wanted: int) -> None:
        super().__init__()
        self.found: list[float] = []
        self._wanted = wanted

    async def sleep(self, seconds: float) -> None:
        """Let the pause pass at once."""
        self.found.append(seconds)
        if len(self.found) == self._wanted:
            raise asyncio.CancelledError
        await super().sleep(seconds)


async def pauses_after(lifetimes: list[float]) -> list[float]:
    """Return the pauses after companions that end after these seconds each."""
    clock = Pauses(len(lifetimes) + 1)
    left = iter(lifetimes)

    def start() -> Started:
        ours, theirs = socket.socketpair()
        theirs.close()
        clock.advance(next(left))
        return Started(Ended(), ours)

    with pytest.raises(asyncio.CancelledError):
        await Supervisor(start, None, Session(), clock).run()
    return clock.found[1:]


async def test_pauses_between_companions_that_end_at_once_grow_up_to_a_limit() -> None:
    """A companion that cannot work does not use a processor with its starts."""
    assert await pauses_after([0.0] * 9) == [0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 20.0, 20.0, 20.0]


async def test_pause_after_a_companion_that_hung_is_short() -> None:
    """One that hangs is noticed so late that nothing is left for a long pause, even in a row of failures."""
    first, _ = PAUSE_SECONDS
    assert await pauses_after([0.0] * 8 + [SILENCE_SECONDS]) == [0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 20.0, 20.0, first]


def test_replacement_answers_before_the_probes_restart_the_pod() -> None:
    """A companion that works is ready in time after one that died or hangs; at the start, so is a second one."""
    (container,) = render().one("Deployment", f"{RELEASE}-scheduler")["spec"]["template"]["spec"]["containers"]
    liveness, startup = container["livenessProbe"], container["startupProbe"]
    # The first failure may come at once.
    limit = (liveness["failureThreshold"] - 1) * liveness["periodSeconds"]
    first, longest = PAUSE_SECONDS
    assert EXIT_SECONDS + longest + START_SECONDS < limit
    assert SILENCE_SECONDS + EXIT_SECONDS + first + START_SECONDS < limit
    assert (startup["failureThreshold"] - 1) * startup["periodSeconds"] > FIRST_START_SECONDS + START_SECONDS


async def test_companion_that_fails_at_its_first_start_is_started_again(programs: Programs) -> None:
    """A failure that may pass, such as no memory, does not end the scheduler."""
    programs.names = ["fails", "fails", "works"]
    session = Session()
    supervisor = Supervisor(programs.start, None, session, SystemClock())
    await supervisor.open()
    assert (len(programs.children), session.begun) == (3, 1)
    await supervisor.stop()


async def test_companion_that_cannot_be_started_does_not_end_the_engine(programs: Programs) -> None:
    """A container that has too many processes for a while goes on firing, and has a companion again afterwards."""
    programs.names = ["reports and dies", "works"]
    refusals = [BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")] * 2

    def start() -> Started:
        if programs.children and refusals:
            raise refusals.pop()
        return programs.start()

    session = Session()
    supervisor = Supervisor(start, None, session, SystemClock())
    await supervisor.open()
    task = asyncio.create_task(supervisor.run())
    await until(lambda: session.begun == 2 or task.done())
    assert not task.done()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await supervisor.stop()
    assert (refusals, programs.children[1].poll()) == ([], 0)


async def test_stop_does_not_wait_for_a_companion_that_is_starting(
    programs: Programs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A companion that hangs at its start is killed and reaped, although it takes no messages."""
    monkeypatch.setattr("financehub_scheduler.link.supervisor.STOP_SECONDS", 600.0)
    programs.names = ["hangs at its start"]
    supervisor = Supervisor(programs.start, None, Session(), SystemClock())
    opening = asyncio.create_task(supervisor.open())
    await until(lambda: programs.children)
    await asyncio.sleep(0.1)
    opening.cancel()
    await asyncio.gather(opening, return_exceptions=True)
    async with asyncio.timeout(60):
        await supervisor.stop()
    assert programs.children[0].poll() == -signal.SIGKILL


def test_execute_without_a_process_leaves_no_descriptor(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that has no memory for a while does not run out of descriptors."""
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    gc.collect()  # Otherwise it may close descriptors of earlier tests in between.
    before = len(list(Path("/proc/self/fd").iterdir()))
    with pytest.raises(FileNotFoundError):
        execute([])
    assert len(list(Path("/proc/self/fd").iterdir())) <= before


_FORKING = """
import os, sys, time
from financehub_scheduler.link.spawn import become_companion, fork

def run(link, engine):
    become_companion(engine)
    print(os.getpid(), flush=True)
    time.sleep(600)

fork(run)
time.sleep(600)
"""


def test_forked_companion_dies_with_its_engine_even_if_it_hangs() -> None:
    """The kernel kills it, so a killed engine never leaves a process that writes statuses."""
    engine = subprocess.Popen([sys.executable, "-c", _FORKING], stdout=subprocess.PIPE, text=True)
    assert engine.stdout is not None
    companion = int(engine.stdout.readline())
    os.kill(companion, signal.SIGSTOP)
    engine.kill()
    engine.wait()
    engine.stdout.close()
    eventually(lambda: not Path(f"/proc/{companion}").exists() or _is_zombie(companion), "it is dead")


def _is_zombie(pid: int) -> bool:
    try:
        return "State:\tZ" in Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    except OSError:
        return True


def test_forked_child_has_the_exit_code_of_popen() -> None:
    """A fork that a signal or an exit ends is reported like a program."""
    children = [fork(lambda _link, _engine, code=code: os._exit(code)) for code in (0, 3)]
    eventually(lambda: [each.child.poll() for each in children] == [0, 3], "both have ended")
    sleeping = fork(lambda _link, _engine: signal.pause())
    sleeping.child.kill()
    eventually(lambda: sleeping.child.poll() == -signal.SIGKILL, "it is killed")
    sleeping.child.kill()
    for each in (*children, sleeping):
        each.link.close()


def test_become_companion_of_a_dead_engine_ends_at_once() -> None:
    """An engine that dies while its companion starts leaves no process."""
    code = "import os; from financehub_scheduler.link.spawn import become_companion; become_companion(os.getppid() + 1)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.strip()) == (1, "the engine process has ended")


def test_forked_child_of_an_engine_that_ignores_ended_children_has_an_exit_code() -> None:
    """The program that starts the scheduler may ignore SIGCHLD, and a companion that ends must not end the engine."""
    code = """
import os, signal, time
from financehub_scheduler.link.spawn import fork

signal.signal(signal.SIGCHLD, signal.SIG_IGN)
child = fork(lambda _link, _engine: os._exit(2)).child
while (code := child.poll()) is None:
    time.sleep(0.01)
print(code)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("2\n", "")


def _run_companion(folder: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[int | None, str]:
    """Start a companion as a new program in a folder, and return its exit code and what it prints to stderr."""
    monkeypatch.chdir(folder)
    with (folder / "stderr").open("w+b") as stderr:
        popen = subprocess.Popen
        monkeypatch.setattr(subprocess, "Popen", lambda *args, **kwargs: popen(*args, **kwargs, stderr=stderr))
        started = execute(["--lease=lease", "--identity=identity"])
        started.link.close()
        eventually(lambda: started.child.poll() is not None, "it has ended", within=60)
    return started.child.poll(), (folder / "stderr").read_text(encoding="utf-8")


def test_companion_whose_settings_are_refused_prints_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A mounted Secret may be missing for a moment, and a log needs no traceback for that."""
    monkeypatch.setenv("FINANCEHUB_SECRETS_DIR", "/nowhere")
    code, text = _run_companion(tmp_path, monkeypatch)
    assert (code, text.count("\n"), "no such directory" in text) == (2, 1, True)


def test_companion_imports_nothing_from_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first companion imports nothing from there either, and a later one must not differ."""
    monkeypatch.setenv("FINANCEHUB_SECRETS_DIR", "/nowhere")
    (tmp_path / "kopf.py").write_text("raise RuntimeError('this is not kopf')", encoding="utf-8")
    code, text = _run_companion(tmp_path, monkeypatch)
    assert (code, "this is not kopf" in text) == (2, False)
