"""Derives from the engine's state whether this scheduler should be restarted and whether it is ready.

A restart helps if the loop or the due queue is stuck. It does not help if Redis is absent, hung or full, or if the
clock is wrong: a new process would be in the same situation, and would lose what this one remembers.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from financehub_shared.core.clock import Clock

#: The loop runs every second, but a batch may take one or two socket timeouts.
_STALL_SECONDS = 30.0
#: If due runs wait this long although Redis replies without errors, the due queue is stuck.
_LAG_SECONDS = 60.0
#: Redis counts as available if its last reply is at most this old.
_RECENT_SECONDS = 10.0
#: A due time that is ahead of Redis's clock is submitted again within a fraction of this time.
_AHEAD_SECONDS = 10.0
_AHEAD = "the clock is far ahead of the clock of Redis, which rejects runs that are not due yet; correct the clock"


@dataclass(slots=True)
class LoopHealth:
    """Times of the engine loop's last signs of life, in monotonic seconds.

    Args:
        last_step: Time of the last step of the loop.
        last_reply: Time of Redis's last reply.
        last_ahead: Time at which Redis last found our clock far ahead of its own.
        last_failure: Time at which Redis last did not reply or returned an error.
        earliest_due: Time of the earliest run that waits to be enqueued, Unix seconds; None if there is none.
    """

    last_step: float
    last_reply: float
    last_ahead: float = -math.inf
    last_failure: float = -math.inf
    earliest_due: float | None = None

    def is_ahead(self, now: float) -> bool:
        """Whether our clock is still far ahead, according to a recent reply from Redis."""
        return now - self.last_ahead < _AHEAD_SECONDS


class Watched(Protocol):
    """The part of the engine that the probe reads."""

    @property
    def health(self) -> LoopHealth: ...
    @property
    def all_registered(self) -> bool: ...
    def due_lag(self) -> float: ...


class HealthProbe:
    """Returns lists of problems for Kubernetes's probes, which are empty if there are none.

    Args:
        engine: The engine.
        clock: The clock.
        source_liveness: Returns the reasons to restart the process because of its source of schedules.
        startup_problems: Returns the reasons why the source has not reported its schedules for the first time.
    """

    def __init__(
        self,
        engine: Watched,
        clock: Clock,
        source_liveness: Callable[[], list[str]] = list,
        startup_problems: Callable[[], list[str]] = list,
    ) -> None:
        self._engine = engine
        self._clock = clock
        self._source_liveness = source_liveness
        self._startup_problems = startup_problems

    def liveness(self) -> list[str]:
        """Return the reasons to restart the process."""
        now, health = self._clock.monotonic(), self._engine.health
        problems = []
        if now - health.last_step > _STALL_SECONDS:
            problems.append(f"the loop has been stalled for {now - health.last_step:.0f} s")
        lag = self._engine.due_lag()
        # A full Redis answers pings and refuses runs, so a reply alone does not show that runs could be enqueued.
        redis_works = now - health.last_reply < _RECENT_SECONDS and now - health.last_failure > _LAG_SECONDS
        if lag > _LAG_SECONDS and redis_works and not health.is_ahead(now):
            problems.append(f"a run has been due for {lag:.0f} s although Redis answers")
        return [*problems, *self._source_liveness()]

    def readiness(self) -> list[str]:
        """Return the reasons why nothing is currently enqueued."""
        now, health = self._clock.monotonic(), self._engine.health
        silence = now - health.last_reply
        if not self._engine.all_registered:
            return self._startup_problems() or ["starting: the schedules are not registered yet"]
        if silence > _STALL_SECONDS:
            return [f"Redis has not answered for {silence:.0f} s"]
        return [_AHEAD] if health.is_ahead(now) else []
