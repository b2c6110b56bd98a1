"""Watches the processes of `make run`: restarts those that end, and stops all of them in order.

A process that is killed or fails is started again after a pause. Exit code 2 with a line that begins with `financehub:`
means an invalid setting, which a restart does not change. Everything then stops, and the reason is the last line.
"""

import signal
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import FrameType

from local_run.output import SYSTEM, Terminal
from local_run.process import ERROR_PREFIX, Process, signal_name

#: The exit code of every process of FinanceHub for an invalid setting. Dramatiq uses it too, for a module that it
#: cannot import, which a developer may be editing.
INVALID_SETTING = 2
#: The first and the longest pause before a restart. Each pause is twice as long as the one before.
_FIRST_PAUSE_SECONDS = 2.0
_LONGEST_PAUSE_SECONDS = 30.0
#: A process that has run for this long is healthy, and its next pause is the first one again.
_HEALTHY_SECONDS = 60.0
#: Restarts of Redis or the simulator without a healthy time in between. Nothing works without them.
_BACKING_RESTARTS = 5
#: Longer than a worker's shutdown timeout (20 s) with its deadline (20 s more), so that a tier can always drain.
_STOP_SECONDS = 45.0
_POLL_SECONDS = 0.1
#: A second Ctrl-C counts from this time on. `make` forwards some signals, so that one may arrive twice.
_SECOND_SECONDS = 1.0
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass
class _Watched:
    process: Process
    failures: int = 0
    restart_at: float | None = None


@dataclass
class Supervisor:
    """Runs the processes until a signal or until one of them cannot be restarted.

    Args:
        backing: Redis and the simulator in the order of their start. They stop last, in the opposite order.
        services: The scheduler and the tiers.
        terminal: Shows what happens.
        await_ready: Waits until a backing process responds or the function returns true, and returns the reason if the
            process does not respond.
    """

    backing: Sequence[Process]
    services: Sequence[Process]
    terminal: Terminal
    await_ready: Callable[[Process, Callable[[], bool]], str]
    reason: str = ""
    #: Time and number of each signal. The handler only appends, because the thread that it interrupts may hold a lock.
    _signals: list[tuple[float, int]] = field(default_factory=list)

    def run(self, on_started: Callable[[], None]) -> int:
        """Start everything, watch it, and stop it.

        Args:
            on_started: Is called when all processes are started.

        Returns:
            The exit code: 0 after a signal, otherwise that of the process because of which everything stopped.
        """
        for number in STOP_SIGNALS:
            # `nohup make run` goes on when the terminal is closed
            if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
                signal.signal(number, self._on_signal)
        code = 0
        try:
            code = self._start()
            if not code and not self._is_stopped():
                on_started()
                code = self._watch()
        except OSError as error:
            self.reason, code = f"a process cannot be started: {error}", 1
        finally:
            if self._signals and not self.reason:
                self.reason = f"stopped by {signal_name(self._signals[0][1])}"
            self._stop()
            for number in STOP_SIGNALS:
                # one that arrives while the interpreter ends would change the exit code
                signal.signal(number, signal.SIG_IGN)
        return code

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        self._signals.append((time.monotonic(), number))

    def _is_stopped(self) -> bool:
        return bool(self._signals)

    def _start(self) -> int:
        for process in self.backing:
            process.start()
        for process in self.backing:
            if not self._is_stopped() and (problem := self.await_ready(process, self._is_stopped)):
                self.reason = problem
                return INVALID_SETTING
        if not self._is_stopped():
            for process in self.services:
                self._launch(process)
        return 0

    def _launch(self, process: Process) -> None:
        process.start()
        self.terminal.line(SYSTEM, f"{process.name} started (pid={process.pid})")

    def _watch(self) -> int:
        watched = [_Watched(process) for process in (*self.backing, *self.services)]
        while True:
            time.sleep(_POLL_SECONDS)
            if self._is_stopped():
                return 0
            for one in watched:
                if one.restart_at is not None:
                    if time.monotonic() >= one.restart_at:
                        one.restart_at = None
                        self._launch(one.process)
                elif one.process.exit_code() is not None and (code := self._on_end(one)):
                    return code

    def _on_end(self, one: _Watched) -> int:
        """Plan the restart of a process that has ended, or return the exit code if everything has to stop."""
        process = one.process
        code = process.exit_code()
        # its children would keep its port
        process.kill_group()
        ending = process.ending()
        if code == INVALID_SETTING and process.reason.startswith(ERROR_PREFIX):
            self.reason = f"{ending}, because a setting is invalid: {process.reason}"
            return INVALID_SETTING
        was_healthy = time.monotonic() - process.started_at >= _HEALTHY_SECONDS
        one.failures = 1 if was_healthy else one.failures + 1
        if process in self.backing and one.failures > _BACKING_RESTARTS:
            self.reason = f"{ending}, for the {one.failures}th time in a row; see .data/{process.name}.log"
            return 1
        pause = min(_LONGEST_PAUSE_SECONDS, _FIRST_PAUSE_SECONDS * 2 ** (one.failures - 1))
        one.restart_at = time.monotonic() + pause
        self.terminal.line(SYSTEM, f"{ending}; restarted in {pause:.0f} s")
        return 0

    def _stop(self) -> None:
        for process in self.services:
            process.stop()
        self._await_end(self.services, _STOP_SECONDS)
        for process in reversed(self.backing):
            process.stop()
            self._await_end([process], _STOP_SECONDS)

    def _await_end(self, processes: Sequence[Process], seconds: float) -> None:
        limit = time.monotonic() + seconds
        while any(process.exit_code() is None for process in processes):
            if self._is_interrupted_again() or time.monotonic() > limit:
                names = ", ".join(process.name for process in processes if process.exit_code() is None)
                self.terminal.line(SYSTEM, f"sending SIGKILL to {names}")
                break
            time.sleep(_POLL_SECONDS)
        for process in processes:
            process.kill_group()

    def _is_interrupted_again(self) -> bool:
        """Whether the user has pressed Ctrl-C again after the first signal."""
        interrupts = [at for at, number in self._signals if number == signal.SIGINT]
        return bool(interrupts) and interrupts[-1] - self._signals[0][0] > _SECOND_SECONDS


def processes_of(
    commands: Mapping[str, str], build: Callable[[str, str], Process], names: Sequence[str]
) -> list[Process]:
    """Build the processes with the given names that the Procfile has, in the order of the names."""
    return [build(name, commands[name]) for name in names if name in commands]
