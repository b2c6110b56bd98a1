"""The two breaker backends: Redis for the fleet, and memory for one process. Both apply one event at a time."""

import random
import threading
from collections.abc import Callable
from functools import cache
from importlib.resources import files
from typing import Any, Protocol

from financehub_shared.breaker.model import (
    Admit,
    BreakerEvent,
    BreakerReason,
    BreakerRecord,
    BreakerReply,
    BreakerState,
    Close,
    Decision,
    ForceOpen,
    RecordOutcome,
    Reset,
)
from financehub_shared.breaker.policy import BreakerPolicy
from financehub_shared.breaker.transitions import step
from financehub_shared.core.clock import Clock
from financehub_shared.redis import keys
from financehub_shared.redis.scripts import REDIS_NOW, Argument, LuaScript, RedisScripts
from financehub_shared.redis.text import decode

RandomSource = Callable[[], float]
#: For jitter only; not suitable for secrets.
default_random: RandomSource = random.random


class Backend(Protocol):
    """Applies each event to an upstream's breaker atomically."""

    def run(self, upstream: str, event: BreakerEvent) -> BreakerReply:
        """Apply an event to an upstream's breaker, and wait for the reply.

        Raises:
            StoreUnavailableError: The backend did not answer.
        """
        ...

    async def arun(self, upstream: str, event: BreakerEvent) -> BreakerReply:
        """Apply an event without blocking the event loop; otherwise the same as `run`."""
        ...


class LocalBackend:
    """Stores breakers in this process, for tests and for use while Redis is unavailable.

    Args:
        policy: Policy of every breaker.
        clock: Provides the monotonic time.
        random_source: Returns random numbers in [0, 1).
    """

    def __init__(self, policy: BreakerPolicy, clock: Clock, random_source: RandomSource = default_random) -> None:
        self._policy = policy
        self._clock = clock
        self._random_source = random_source
        self._lock = threading.Lock()
        self._records: dict[str, BreakerRecord] = {}
        # A new breaker's `since` is 0, which must lie in the distant past.
        self._origin = clock.monotonic() - 10 * policy.window_ms / 1000

    def run(self, upstream: str, event: BreakerEvent) -> BreakerReply:
        """Apply an event as `Backend.run` does; it never fails."""
        now = int((self._clock.monotonic() - self._origin) * 1000)
        with self._lock:
            record = self._records.get(upstream, BreakerRecord())
            self._records[upstream], reply = step(record, event, now, self._policy, self._random_source())
        return reply

    async def arun(self, upstream: str, event: BreakerEvent) -> BreakerReply:
        """Apply an event as `Backend.arun` does; it never fails."""
        return self.run(upstream, event)


class RedisBackend:
    """Stores breakers in Redis, with one command per event.

    Args:
        policy: Policy of every breaker; all processes should use the same one.
        scripts: Runs scripts on the Redis that stores the breakers.
        random_source: Returns random numbers in [0, 1).
    """

    def __init__(
        self, policy: BreakerPolicy, scripts: RedisScripts, random_source: RandomSource = default_random
    ) -> None:
        self._policy = policy
        self._scripts = scripts
        self._random_source = random_source

    def run(self, upstream: str, event: BreakerEvent) -> BreakerReply:
        """See `Backend.run`."""
        args = arguments(upstream, event, self._policy, self._random_source())
        return parse_reply(self._scripts.run(script(), [keys.breaker(upstream), keys.BREAKERS], args))

    async def arun(self, upstream: str, event: BreakerEvent) -> BreakerReply:
        """See `Backend.arun`."""
        args = arguments(upstream, event, self._policy, self._random_source())
        return parse_reply(await self._scripts.arun(script(), [keys.breaker(upstream), keys.BREAKERS], args))


@cache
def script(now: str = REDIS_NOW) -> LuaScript:
    """Return breaker.lua, preceded by the line that defines `now`."""
    return LuaScript(now + files(__package__).joinpath("breaker.lua").read_text(encoding="utf-8"))


def arguments(upstream: str, event: BreakerEvent, policy: BreakerPolicy, jitter: float) -> list[Argument]:
    """Return the ARGV values for breaker.lua."""
    p = policy
    numbers = (p.window_ms, p.window_calls, p.minimum_calls, p.failure_ratio, p.open_ms, p.open_max_ms, p.probe_ms)
    match event:
        case Admit(successes):
            operation: list[Argument] = ["admit"]
            rest: list[Argument] = [number for success in successes for number in success]
        case RecordOutcome(epoch, outcome, retry_after_ms, error):
            operation, rest = ["record"], [epoch, outcome.value, retry_after_ms, error]
        case ForceOpen():
            operation, rest = ["force-open"], []
        case Close():
            operation, rest = ["close"], []
        case Reset():
            operation, rest = ["reset"], []
    return [upstream, *operation, jitter, *numbers, *rest]


def parse_reply(values: list[Any]) -> BreakerReply:
    """Parse breaker.lua's reply, which contains bytes or strings."""
    decision, previous, state, epoch, wait, reason, error = map(decode, values)
    return BreakerReply(
        Decision(decision),
        BreakerState(previous),
        BreakerState(state),
        int(epoch),
        int(wait),
        BreakerReason(reason) if reason in {*BreakerReason} else BreakerReason.NEW,
        error,
    )
