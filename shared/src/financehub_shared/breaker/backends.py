"""Where the state of breakers lives: in Redis for the fleet, or in this process. Both take events one at a time."""

import random
import threading
from collections.abc import Callable
from functools import cache
from importlib.resources import files
from typing import Any, Protocol

from financehub_shared.breaker.core import step
from financehub_shared.breaker.states import (
    Admit,
    Close,
    Event,
    ForceOpen,
    Phase,
    Policy,
    Reason,
    Record,
    Reply,
    Reset,
    State,
    Verdict,
)
from financehub_shared.core.clock import Clock
from financehub_shared.redis import keys
from financehub_shared.redis.scripts import REDIS_NOW, Argument, LuaScript, RedisScripts

Luck = Callable[[], float]
#: Chance for jitter, not for secrets.
LUCK: Luck = random.random


class Backend(Protocol):
    """Applies an event to the breaker of one upstream, atomically."""

    def run(self, upstream: str, event: Event) -> Reply:
        """Apply and wait.

        Raises:
            StoreUnavailableError: it cannot be reached.
        """
        ...

    async def arun(self, upstream: str, event: Event) -> Reply:
        """Apply without blocking the event loop; as `run` otherwise."""
        ...


class LocalBackend:
    """State in this process: the peer for tests, and what a fleet falls back to while Redis is away.

    Args:
        policy: of every breaker.
        clock: its monotonic time is used.
        luck: random numbers in [0, 1).
    """

    def __init__(self, policy: Policy, clock: Clock, luck: Luck = LUCK) -> None:
        self._policy = policy
        self._clock = clock
        self._luck = luck
        self._lock = threading.Lock()
        self._states: dict[str, State] = {}
        # core's `since` of a new breaker is 0, which must be long ago
        self._origin = clock.monotonic() - 10 * policy.window_ms / 1000

    def run(self, upstream: str, event: Event) -> Reply:
        """See `Backend`; never fails."""
        now = int((self._clock.monotonic() - self._origin) * 1000)
        with self._lock:
            state = self._states.get(upstream, State())
            self._states[upstream], reply = step(state, event, now, self._policy, self._luck())
        return reply

    async def arun(self, upstream: str, event: Event) -> Reply:
        """See `Backend`; never fails."""
        return self.run(upstream, event)


class RedisBackend:
    """State in Redis, one command an event.

    Args:
        policy: of every breaker; all processes should have the same.
        scripts: the way to Redis.
        luck: random numbers in [0, 1).
    """

    def __init__(self, policy: Policy, scripts: RedisScripts, luck: Luck = LUCK) -> None:
        self._policy = policy
        self._scripts = scripts
        self._luck = luck

    def run(self, upstream: str, event: Event) -> Reply:
        """See `Backend`."""
        args = arguments(upstream, event, self._policy, self._luck())
        return reply_of(self._scripts.run(script(), [keys.breaker(upstream), keys.BREAKERS], args))

    async def arun(self, upstream: str, event: Event) -> Reply:
        """See `Backend`."""
        args = arguments(upstream, event, self._policy, self._luck())
        return reply_of(await self._scripts.arun(script(), [keys.breaker(upstream), keys.BREAKERS], args))


@cache
def script(now: str = REDIS_NOW) -> LuaScript:
    """breaker.lua with the line that defines `now`."""
    return LuaScript(now + files(__package__).joinpath("breaker.lua").read_text(encoding="utf-8"))


def arguments(upstream: str, event: Event, policy: Policy, luck: float) -> list[Argument]:
    """ARGV of breaker.lua."""
    p = policy
    numbers = (p.window_ms, p.window_calls, p.minimum_calls, p.failure_ratio, p.open_ms, p.open_max_ms, p.probe_ms)
    match event:
        case Admit(successes):
            operation: list[Argument] = ["admit"]
            rest: list[Argument] = [number for success in successes for number in success]
        case Record(epoch, outcome, retry_after_ms, error):
            operation, rest = ["record"], [epoch, outcome.value, retry_after_ms, error]
        case ForceOpen():
            operation, rest = ["force-open"], []
        case Close():
            operation, rest = ["close"], []
        case Reset():
            operation, rest = ["reset"], []
    return [upstream, *operation, luck, *numbers, *rest]


def reply_of(answer: list[Any]) -> Reply:
    """What breaker.lua returned, from bytes or text."""
    verdict, previous, phase, epoch, wait, reason, error = (
        part.decode(errors="replace") if isinstance(part, bytes) else str(part) for part in answer
    )
    return Reply(Verdict(verdict), Phase(previous), Phase(phase), int(epoch), int(wait), Reason(reason), error)
