"""The surroundings of an engine whose schedules are in a folder, all in its process.

A second process would take 60 MB more, and would gain little: no watch parses resources and no status is written, the
folder is read in a thread, and probes and scrapes are answered by threads that give way to the engine.
"""

from collections.abc import Coroutine, Sequence
from pathlib import Path
from typing import Any

from financehub_scheduler.core.engine import Engine
from financehub_scheduler.core.health_probe import HealthProbe
from financehub_scheduler.core.listener import SchedulerListener
from financehub_scheduler.core.reporter import Reporter
from financehub_scheduler.core.state import ScheduleState
from financehub_scheduler.core.warnings import SpecWarnings
from financehub_scheduler.metrics import Durations
from financehub_scheduler.observability import SchedulerObservability
from financehub_scheduler.periodic import every
from financehub_scheduler.serving import build_observability, janitor_step
from financehub_scheduler.sources.files import FileSource
from financehub_scheduler.surroundings.interface import Apply
from financehub_shared.core.settings import Settings
from financehub_shared.metrics import Metrics
from financehub_shared.redis.server_clock import ServerClock
from financehub_shared.redis.watch import RedisWatch


class FolderSurroundings:
    """The source, the HTTP server and the janitor of one process.

    Args:
        settings: Settings of the process.
        folder: The folder of ScheduledTask files.
        states: uid → state of each active schedule.
        clock: Clock of the process.
        watch: Knows why Redis cannot be used.

    Raises:
        ConfigError: The folder does not exist.
    """

    def __init__(
        self, settings: Settings, folder: Path, states: dict[str, ScheduleState], clock: ServerClock, watch: RedisWatch
    ) -> None:
        self._settings = settings
        self._states = states
        self._clock = clock
        self._watch = watch
        self._source = FileSource(folder, clock)
        self._metrics = Metrics("scheduler", settings.release)
        self.next_runs = Reporter(self._metrics, states)
        self.listeners: Sequence[SchedulerListener] = (self.next_runs, SpecWarnings(clock))
        self.loop_lags: Durations = self._metrics.event_loop_lag
        self.redis_seconds: Durations = self._metrics.redis_command_duration.labels("queues")
        self._observability: SchedulerObservability | None = None
        self._apply: Apply | None = None

    @property
    def observed_at(self) -> float:
        """Monotonic time, in seconds: if two folders differ, either may be right, so ours always is."""
        return self._clock.monotonic()

    def connect(self, engine: Engine, apply: Apply) -> None:
        """Set the engine, before `open`."""
        self._apply = apply
        probe = HealthProbe(engine, self._clock)
        self._observability = build_observability(
            self._settings, self._metrics, probe, self._states, self.next_runs, self._watch.blocked, self._clock
        )

    async def open(self) -> None:
        """Start the HTTP server.

        Raises:
            ConfigError: The port is in use.
        """
        assert self._observability is not None  # noqa: S101 — for mypy: `connect` comes first
        self._observability.start_server()

    def background(self) -> Sequence[Coroutine[Any, Any, None]]:
        """Return what runs beside the engine until it is canceled."""
        seconds, step = janitor_step(self._settings, self._metrics, self._states)
        return [self._follow(), every(seconds, step, self._clock)]

    async def close(self) -> None:
        """Do nothing. The server runs until the process exits."""

    async def _follow(self) -> None:
        assert self._apply is not None  # noqa: S101 — for mypy: `connect` comes first
        async for changes in self._source.changes():
            self._apply(changes, dict(self._source.refused))
