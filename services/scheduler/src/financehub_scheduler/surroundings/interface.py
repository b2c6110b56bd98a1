"""What the composition root of the engine needs from its surroundings."""

from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, Protocol

from financehub_scheduler.core.changes import Changes
from financehub_scheduler.core.engine import Engine
from financehub_scheduler.core.listener import SchedulerListener
from financehub_scheduler.core.next_runs import NextRunObserver
from financehub_scheduler.metrics import Durations

#: Receives changes of schedules, and the problems of all that are refused by their place or name.
Apply = Callable[[Changes, Mapping[str, str]], None]


class Surroundings(Protocol):
    """The surroundings of one engine."""

    @property
    def listeners(self) -> Sequence[SchedulerListener]:
        """Listeners for the engine and the on-demand runs."""

    @property
    def next_runs(self) -> NextRunObserver | None:
        """Is told which next runs are published."""

    @property
    def loop_lags(self) -> Durations:
        """Receives the delays of the event loop."""

    @property
    def redis_seconds(self) -> Durations:
        """Receives the durations of commands to the queue Redis."""

    @property
    def observed_at(self) -> float:
        """Monotonic time before which the engine was told every change, in seconds."""

    def connect(self, engine: Engine, apply: Apply) -> None:
        """Set the engine, before `open`.

        Args:
            engine: The engine.
            apply: Passes changes of schedules to it.
        """

    async def open(self) -> None:
        """Start what can refuse the configuration.

        Raises:
            ConfigError: The HTTP port is in use.
            SystemExit: The companion refuses the configuration, and has printed why.
        """

    def background(self) -> Sequence[Coroutine[Any, Any, None]]:
        """Return what runs beside the engine until it is canceled."""

    async def close(self) -> None:
        """End everything, after the engine."""
