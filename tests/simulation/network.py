"""The simulated network between processes and Redis: delays, lost commands, lost replies and late commands."""

import asyncio
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import redis

from financehub_shared.redis.client import COMMAND_TIMEOUT_SECONDS
from simulation.wire import Request

if TYPE_CHECKING:
    from simulation.process import Process

_TIMEOUT = round(COMMAND_TIMEOUT_SECONDS * 1_000_000)


@dataclass(frozen=True, slots=True)
class Profile:
    """How the network behaves during one event `run`.

    Args:
        slowest: Longest way of a command and of a reply, in microseconds.
        lost: Probability that the connection breaks while a command is under way, before or after its execution.
        hung: Probability that no reply comes before the client gives up. The command may be executed even later.
    """

    slowest: int = 1_000
    lost: float = 0.0
    hung: float = 0.0


PROFILES = {
    "calm": Profile(),
    "slow": Profile(slowest=400_000),
    "lossy": Profile(slowest=20_000, lost=0.12),
    "bad": Profile(slowest=200_000, lost=0.08, hung=0.06),
}


@dataclass(slots=True, eq=False)
class Command:
    """Commands that a process has sent together.

    Args:
        process: The process.
        requests: The commands.
        answer: Gets the replies, or the error that the client sees.
        latest: The latest time that the clock of the process had shown, in Unix microseconds.
        settled: Incarnation → newest due time that the replies show as settled, in Unix milliseconds.
        known: Incarnation → newest due time that the process knew to be settled when it sent them.
        created: The creations that the replies show: uid and time in Unix milliseconds.
        version: Number of changes of the source that the process knew when it sent these for the first time.
    """

    process: "Process"
    requests: Sequence[Request]
    answer: asyncio.Future[Any]
    latest: int
    settled: dict[str, int] = field(default_factory=dict)
    known: Mapping[str, int] = field(default_factory=dict)
    created: set[tuple[str, int]] = field(default_factory=set)
    version: int = 0


class Network:
    """Decides what happens to each command.

    Args:
        at: Calls a function at a time, in microseconds of the simulation.
        now: Returns that time.
        execute: Executes a command on Redis, and returns its replies.
    """

    def __init__(
        self, at: Callable[[int, Callable[[], None]], None], now: Callable[[], int], execute: Callable[[Command], Any]
    ) -> None:
        self._at, self._now, self._execute = at, now, execute
        self.profile, self.rng = PROFILES["calm"], random.Random(0)
        self.is_down = False
        #: Commands that were not executed yet.
        self._under_way: set[Command] = set()

    def send(self, process: "Process", requests: Sequence[Request]) -> Command:
        """Accept commands from a process."""
        if process.is_disposed:
            raise redis.ConnectionError("the process has ended")
        answer, known = process.loop.create_future(), dict(process.settled)
        version = process.sent.setdefault(tuple(map(tuple, requests)), process.version)
        command = Command(process, requests, answer, process.clock.latest, known=known, version=version)
        rng, profile, now = self.rng, self.profile, self._now()
        out, back = rng.randint(50, profile.slowest), rng.randint(50, profile.slowest)
        if self.is_down:
            self._at(now + out, lambda: self._fail(command, hung=False))
        elif process.is_cut_off:
            hung = rng.random() < 0.5
            self._at(now + (_TIMEOUT if hung else out), lambda: self._fail(command, hung=hung))
        elif (chance := rng.random()) < profile.lost:
            if rng.random() < 0.5:
                self._under_way.add(command)
                self._at(now + out, lambda: self._run(command))
            self._at(now + out + back, lambda: self._fail(command, hung=False))
        elif chance < profile.lost + profile.hung:
            if rng.random() < 0.7:
                # Also later than the client gives up.
                self._under_way.add(command)
                self._at(now + rng.randint(50, 2 * _TIMEOUT), lambda: self._run(command))
            self._at(now + _TIMEOUT, lambda: self._fail(command, hung=True))
        else:
            self._under_way.add(command)
            self._at(now + out, lambda: self._answer(command, back))
        return command

    def _run(self, command: Command) -> Any:
        if command not in self._under_way:
            return None
        self._under_way.discard(command)
        if self.is_down:
            return None
        return self._execute(command)

    def _answer(self, command: Command, back: int) -> None:
        replies = self._run(command)
        at = self._now() + back
        if replies is None:
            self._at(at, lambda: self._fail(command, hung=False))
        else:
            self._at(at, lambda: command.process.deliver(lambda: self._finish(command, replies)))

    @staticmethod
    def _finish(command: Command, replies: Any) -> None:
        if not command.answer.done():
            command.process.learn(command.settled, command.created)
            command.answer.set_result(replies)

    def _fail(self, command: Command, *, hung: bool) -> None:
        def fail() -> None:
            if not command.answer.done():
                error = redis.TimeoutError("no reply") if hung else redis.ConnectionError("the connection broke")
                command.answer.set_exception(error)

        command.process.deliver(fail)

    def drop(self, process: "Process | None" = None) -> None:
        """Lose the commands that were not executed: all, or those of one process."""
        self._under_way = {each for each in self._under_way if process is not None and each.process is not process}
