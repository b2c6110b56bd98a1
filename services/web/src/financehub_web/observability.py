"""Probes, metrics and heartbeat of the web process, on a port that is not published with the console."""

import asyncio
from collections.abc import Callable

from financehub_shared.core.clock import Clock
from financehub_shared.core.settings import Settings
from financehub_shared.health.app import HealthApp
from financehub_shared.health.presence import WEB
from financehub_shared.health.processes import Heartbeat, ProcessInfo, ProcessRegistry
from financehub_shared.health.readers import RedisReaders
from financehub_shared.health.redis_probe import RedisProbe
from financehub_shared.health.report import HealthReport
from financehub_shared.health.server import HealthServer
from financehub_shared.metrics import Metrics
from financehub_shared.redis.client import SCRAPE_TIMEOUT_SECONDS
from financehub_shared.redis.server_clock import ServerClock

#: A restart helps if the event loop has not run for this long.
_HUNG_SECONDS = 30.0
_TICK_SECONDS = 1.0


class LoopProbe:
    """Notices an event loop that no longer runs.

    Args:
        clock: Clock of the process.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._ticked_at = clock.monotonic()

    async def tick(self) -> None:
        """Record once a second that the event loop runs, until the task is cancelled."""
        while True:
            self._ticked_at = self._clock.monotonic()
            await asyncio.sleep(_TICK_SECONDS)

    def problems(self) -> list[str]:
        """Return why the process should be restarted; empty if there is no reason."""
        silent = self._clock.monotonic() - self._ticked_at
        return [f"the event loop has not run for {silent:.0f} s"] if silent > _HUNG_SECONDS else []


class WebObservability:
    """The server of probes and metrics, and the heartbeat, with which listings show the process and its release.

    Pages are served without Redis too, from what was read last, so readiness does not depend on it.

    Args:
        settings: Settings of the process.
        clock: Clock of the process, which shows the time of Redis.
        metrics: Metrics of the process.
        loop: Notices a hung event loop.
        report: Returns the fleet's health report.
        is_ending: Whether the process has got a signal to end, so that no new connection should reach it.
    """

    def __init__(
        self,
        settings: Settings,
        clock: ServerClock,
        metrics: Metrics,
        loop: LoopProbe,
        report: Callable[[], HealthReport],
        is_ending: Callable[[], bool],
    ) -> None:
        scrape = RedisReaders(settings, clock, SCRAPE_TIMEOUT_SECONDS)
        metrics.set_redis_probe(RedisProbe(scrape.servers, clock.local, metrics.redis_command_duration, details=False))
        app = HealthApp(
            report=report,
            liveness=loop.problems,
            readiness=lambda: [*loop.problems(), *(["the process is ending"] if is_ending() else [])],
            metrics=metrics.expose,
            queue=scrape.queues.read,
            clock=clock,
        )
        self.server = HealthServer(app.respond, settings.http_host, settings.http_port)
        identity = ProcessInfo.of_this_process(WEB, clock.now())
        registry = ProcessRegistry(RedisReaders(settings, clock).client)
        observe = metrics.redis_command_duration.labels("queues").observe
        self._heartbeat = Heartbeat(registry, lambda: identity, clock, observe)

    def start(self) -> None:
        """Start the server and the heartbeat.

        Raises:
            ConfigError: The port is in use.
        """
        self.server.start()
        self._heartbeat.start()

    def stop(self) -> None:
        """Stop the heartbeat and remove the process from the registry. The server runs until the process exits."""
        self._heartbeat.stop()
