"""The surroundings of an engine whose schedules are a cluster's ScheduledTasks: a companion process."""

from collections.abc import Coroutine, Mapping, Sequence
from typing import Any

from financehub_scheduler.core.engine import Engine
from financehub_scheduler.core.listener import SchedulerListener
from financehub_scheduler.core.state import ScheduleState
from financehub_scheduler.link.engine_end import REPORT_SECONDS, VITALS_SECONDS, EngineEnd
from financehub_scheduler.link.origin import ClusterOrigin
from financehub_scheduler.link.reports import Reports
from financehub_scheduler.link.spawn import Started, execute
from financehub_scheduler.link.supervisor import Supervisor
from financehub_scheduler.metrics import Durations
from financehub_scheduler.surroundings.interface import Apply
from financehub_shared.core.clock import Clock
from financehub_shared.redis.server_clock import ServerClock
from financehub_shared.redis.watch import RedisWatch


class ClusterSurroundings:
    """The companion process, and our end of the link to it.

    Args:
        origin: The cluster.
        states: uid → state of each active schedule.
        clock: Clock of the process.
        watch: Knows why Redis cannot be used.
        first: A companion that was started already; None to start the first one too.
    """

    next_runs = None

    def __init__(
        self,
        origin: ClusterOrigin,
        states: Mapping[str, ScheduleState],
        clock: ServerClock,
        watch: RedisWatch,
        first: Started | None,
    ) -> None:
        self._clock: Clock = clock
        reports = Reports(states)
        self._end = EngineEnd(reports, clock, watch)
        self.listeners: Sequence[SchedulerListener] = (reports,)
        self.loop_lags: Durations = self._end.loop_lags
        self.redis_seconds: Durations = self._end.redis_seconds
        self._supervisor = Supervisor(lambda: execute(origin.arguments()), first, self._end, clock)

    @property
    def observed_at(self) -> float:
        """Monotonic time before which the engine was told every change, in seconds."""
        # The API server is right, and our copy may be outdated.
        return self._end.observed_at

    def connect(self, engine: Engine, apply: Apply) -> None:
        """Set the engine, before `open`."""
        self._end.connect(engine, apply)

    async def open(self) -> None:
        """Start the companion, and return when its HTTP server answers.

        Raises:
            SystemExit: The companion refuses the configuration, and has printed why.
        """
        await self._supervisor.open()

    def background(self) -> Sequence[Coroutine[Any, Any, None]]:
        """Return what runs beside the engine until it is canceled."""
        return [self._supervisor.run(), self._report(), self._send_vitals()]

    async def close(self) -> None:
        """Let the companion release the Lease and end."""
        await self._supervisor.stop()

    async def _report(self) -> None:
        while True:
            # Between two messages, the engine can do what is due.
            await self._clock.sleep(0.0 if self._end.send_reports() else REPORT_SECONDS)

    async def _send_vitals(self) -> None:
        while True:
            self._end.send_vitals()
            await self._clock.sleep(VITALS_SECONDS)
