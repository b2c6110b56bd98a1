"""Whether this scheduler should be restarted, and whether it is ready: pure questions to the engine's pulse."""

from collections.abc import Callable
from typing import Protocol

from financehub_scheduler.core.state import Pulse
from financehub_shared.core.clock import Clock

#: The loop comes round every second; a batch may wait for a socket timeout or two.
_STALL_SECONDS = 30.0
#: Due runs that wait this long although Redis answers mean that the heap is stuck.
_LAG_SECONDS = 60.0
#: Without any answer from Redis for this long, our connections may be at fault as well as Redis; a restart costs
#: nothing, since all state is in Redis, and is rare enough not to be a crash loop.
_SILENCE_SECONDS = 300.0
_RECENT_SECONDS = 10.0
_AHEAD = "the clock is far ahead of Redis's, which does not take runs that are due only then; set it right"


class Watched(Protocol):
    """What is asked of the engine."""

    @property
    def pulse(self) -> Pulse: ...
    @property
    def settled(self) -> bool: ...
    def heap_lag(self) -> float: ...


class Vitals:
    """Reasons, in words; empty lists mean all is well.

    Args:
        engine: the engine.
        clock: time.
        source: why the source of schedules should be started anew.
        starting: what keeps the source from showing its schedules for the first time.
    """

    def __init__(
        self,
        engine: Watched,
        clock: Clock,
        source: Callable[[], list[str]] = list,
        starting: Callable[[], list[str]] = list,
    ) -> None:
        self._engine = engine
        self._clock = clock
        self._source = source
        self._starting = starting

    def live(self) -> list[str]:
        """Why the process should be restarted."""
        now, pulse = self._clock.monotonic(), self._engine.pulse
        problems = []
        if now - pulse.tick > _STALL_SECONDS:
            problems.append(f"the loop has not come round for {now - pulse.tick:.0f} s")
        silence = now - pulse.ack
        lag = self._engine.heap_lag()
        if silence > _SILENCE_SECONDS:
            problems.append(f"Redis has not acknowledged anything for {silence:.0f} s")
        elif silence < _RECENT_SECONDS and lag > _LAG_SECONDS:
            stuck = f"a run has been due for {lag:.0f} s although Redis answers"
            problems.append(_AHEAD if pulse.is_ahead(now) else stuck)
        return [*problems, *self._source()]

    def ready(self) -> list[str]:
        """Why nothing is enqueued at present."""
        now, pulse = self._clock.monotonic(), self._engine.pulse
        silence = now - pulse.ack
        if not self._engine.settled:
            return self._starting() or ["starting: the schedules are not registered yet"]
        if silence > _STALL_SECONDS:
            return [f"Redis has not answered for {silence:.0f} s"]
        return [_AHEAD] if pulse.is_ahead(now) else []
