"""Builds the objects that report the state of the scheduler and the fleet: health, metrics and heartbeat."""

from collections.abc import Callable, Sequence

from financehub_shared.core.clock import SystemClock
from financehub_shared.core.settings import Settings
from financehub_shared.health.app import HealthApp
from financehub_shared.health.fleet_metrics import FleetMetrics
from financehub_shared.health.freshness import ScheduleFacts
from financehub_shared.health.presence import SCHEDULER
from financehub_shared.health.processes import Heartbeat, ProcessInfo, ProcessRegistry
from financehub_shared.health.readers import OBSERVER_TIMEOUT_SECONDS, RedisReaders
from financehub_shared.health.redis_probe import RedisProbe
from financehub_shared.health.server import HealthServer
from financehub_shared.metrics import Metrics, MetricSource
from financehub_shared.redis.client import SCRAPE_TIMEOUT_SECONDS, connect
from financehub_shared.redis.server_clock import ServerClock


class SchedulerObservability:
    """The HTTP server and the metric sources of a scheduler.

    The scheduler also exposes the fleet's metrics, because it is the process that knows all queues.

    Args:
        settings: Settings of the process.
        metrics: Metrics of the process.
        liveness: Returns the reasons why the process should be restarted; empty if there are none.
        readiness: Returns the reasons why the process is not ready; empty if there are none.
        known_schedules: Returns this scheduler's schedules, for a fleet with too many to read from Redis.
        clock: Clock of the process, which shows the time of Redis.
    """

    def __init__(
        self,
        settings: Settings,
        metrics: Metrics,
        *,
        liveness: Callable[[], list[str]],
        readiness: Callable[[], list[str]],
        known_schedules: Callable[[], Sequence[ScheduleFacts]] = list,
        clock: ServerClock | None = None,
    ) -> None:
        clock = clock or ServerClock(SystemClock())
        readers = RedisReaders(settings, clock, known_schedules=known_schedules)
        # Scrapes have their own clients with a shorter timeout.
        scrape_readers = RedisReaders(settings, clock, SCRAPE_TIMEOUT_SECONDS, known_schedules)
        metrics.set_redis_probe(
            RedisProbe(scrape_readers.servers, clock.local, metrics.redis_command_duration, details=True)
        )
        fleet = FleetMetrics(scrape_readers.checker.collect, scrape_readers.store, settings.max_workers, clock)
        metrics.disable_breaker_state()
        metrics.add_source(MetricSource("fleet", fleet.read))
        app = HealthApp(
            report=readers.checker.report,
            liveness=liveness,
            readiness=readiness,
            metrics=metrics.expose,
            queue=readers.queues.read,
            clock=clock,
        )
        self.server = HealthServer(app.respond, settings.http_host, settings.http_port)

    def start_server(self) -> None:
        """Start the server.

        Raises:
            ConfigError: The port is in use.
        """
        self.server.start()


def build_heartbeat(settings: Settings, clock: ServerClock, observe: Callable[[float], None]) -> Heartbeat:
    """Return the heartbeat of the engine's process. Its times are those of the clock, so measure the clock first.

    Args:
        settings: Settings of the process.
        clock: Clock of the process, which shows the time of Redis.
        observe: Receives the duration of each heartbeat in seconds.
    """
    client = connect(settings.broker_url, retries=0, timeout=OBSERVER_TIMEOUT_SECONDS)
    identity = ProcessInfo.of_this_process(SCHEDULER, clock.now())
    return Heartbeat(ProcessRegistry(client), lambda: identity, clock, observe)
