"""Puts the observers of a process together; composition roots call one function of this module."""

from collections.abc import Callable, Sequence

import dramatiq
import redis

from financehub_shared.core.clock import Clock, SystemClock
from financehub_shared.core.settings import Settings
from financehub_shared.health.app import HealthApp
from financehub_shared.health.checks import SCHEDULER
from financehub_shared.health.collect import HealthChecker
from financehub_shared.health.fleet_source import FleetSource
from financehub_shared.health.periods import ScheduleFacts
from financehub_shared.health.queue_watch import QueueWatch
from financehub_shared.health.redis_probe import RedisProbe
from financehub_shared.health.server import HealthServer
from financehub_shared.health.workers import Heartbeat, ProcessInfo, WorkerRegistry
from financehub_shared.logging import Redactor, known_secrets
from financehub_shared.market.port import Store
from financehub_shared.market.redis_store import RedisStore
from financehub_shared.metrics import Metrics, Source
from financehub_shared.monitor.writer import RecordWriter
from financehub_shared.redis.client import SCRAPE_TIMEOUT_SECONDS, connect
from financehub_shared.worker.middleware.health_server import HealthServerMiddleware
from financehub_shared.worker.middleware.heartbeat import WorkerHeartbeat
from financehub_shared.worker.middleware.in_flight import InFlight
from financehub_shared.worker.middleware.liveness import Liveness
from financehub_shared.worker.middleware.run_log import RunLog
from financehub_shared.worker.middleware.run_metrics import MetricsMiddleware
from financehub_shared.worker.middleware.run_recorder import RunRecorder

#: A health answer, a beat or a record must not wait long for a hung Redis; nothing is lost by trying again later.
OBSERVER_TIMEOUT_SECONDS = 2.0


def _servers(settings: Settings, timeout: float) -> dict[str, "redis.Redis"]:
    """A client of each Redis: of the queues, and of the data where they lie in another."""
    servers = {"queues": connect(settings.broker_url, retries=0, timeout=timeout)}
    if settings.store_url != settings.broker_url:
        servers["data"] = connect(settings.store_url, retries=0, timeout=timeout)
    return servers


class _Eyes:
    """What a process looks at the fleet with: one client per Redis, shared by all that look with the same patience."""

    def __init__(
        self,
        settings: Settings,
        clock: Clock,
        timeout: float = OBSERVER_TIMEOUT_SECONDS,
        known_schedules: Callable[[], Sequence[ScheduleFacts]] = list,
    ) -> None:
        self.servers = _servers(settings, timeout)
        self.client = self.servers["queues"]
        store_client = self.servers.get("data", self.client)
        self.store: Store = RedisStore(store_client)
        self.queues = QueueWatch(self.client, settings.heartbeat_timeout_seconds, clock)
        self.checker = HealthChecker(
            self.client, store_client, self.store, self.queues, clock, settings.idle_tiers, known_schedules
        )


def _observe_beats(metrics: Metrics) -> Callable[[float], None]:
    return metrics.redis_command_duration.labels("queues").observe


def health_checker(settings: Settings, *, clock: Clock | None = None) -> HealthChecker:
    """What makes health reports; connects at the first report.

    Args:
        settings: where the Redis of the queues and of the data are.
        clock: stamps the reports.
    """
    return _Eyes(settings, clock or SystemClock()).checker


def observers(
    settings: Settings, tier: str, metrics: Metrics, *, clock: Clock | None = None
) -> list[dramatiq.Middleware]:
    """The observers of a worker process, in order, for `build_broker(settings, observers=…)`.

    They go before dramatiq's own middleware: then they see a message first, and its end last, when `Retries` has
    decided what becomes of it and no time limit can interrupt them.

    Args:
        settings: everything else is read from here.
        tier: `high`, `medium` or `low`.
        metrics: the process's metrics; providers and breakers count on the same.
        clock: for tests.
    """
    clock = clock or SystemClock()
    eyes = _Eyes(settings, clock)
    servers = _servers(settings, SCRAPE_TIMEOUT_SECONDS)
    metrics.probe_redis(RedisProbe(servers, clock, metrics.redis_command_duration, details=False))
    identity = ProcessInfo.of_this_process(tier, clock.now())
    flights = InFlight(clock, settings.dramatiq_task_timeout / 1_000)
    liveness = Liveness(flights, clock)
    redact = Redactor(known_secrets(settings))
    writer = RecordWriter(eyes.client, clock.monotonic, settings.run_retention_days * 86_400)
    app = HealthApp(
        report=eyes.checker.report,
        live=liveness.live,
        ready=liveness.ready,
        metrics=metrics.expose,
        queue=eyes.queues.one,
    )
    return [
        flights,  # first in, last out: the others ask it what runs
        RunLog(flights, clock, redact),  # its context is on the lines of all that follow
        MetricsMiddleware(metrics, flights, clock),
        RunRecorder(writer, flights, identity.id, clock, redact),
        WorkerHeartbeat(WorkerRegistry(eyes.client), identity, flights, clock, _observe_beats(metrics)),
        liveness,
        HealthServerMiddleware(HealthServer(app, settings.http_host, settings.http_port)),
    ]


class SchedulerObservers:
    """What the scheduler process shows of itself and, as the one process that looks at all queues, of the fleet.

    Args:
        settings: everything else is read from here.
        metrics: the process's metrics.
        live: why the process should be restarted; empty if it should not.
        ready: why it is not ready; empty if it is.
        known_schedules: what the scheduler knows of its schedules, for a fleet with too many to read from Redis.
        clock: for tests.
    """

    def __init__(
        self,
        settings: Settings,
        metrics: Metrics,
        *,
        live: Callable[[], list[str]],
        ready: Callable[[], list[str]],
        known_schedules: Callable[[], Sequence[ScheduleFacts]] = list,
        clock: Clock | None = None,
    ) -> None:
        clock = clock or SystemClock()
        eyes = _Eyes(settings, clock, known_schedules=known_schedules)
        identity = ProcessInfo.of_this_process(SCHEDULER, clock.now())
        scrape_eyes = _Eyes(settings, clock, SCRAPE_TIMEOUT_SECONDS, known_schedules)
        metrics.probe_redis(RedisProbe(scrape_eyes.servers, clock, metrics.redis_command_duration, details=True))
        fleet = FleetSource(scrape_eyes.checker.look, scrape_eyes.store, settings.max_workers, clock)
        metrics.read_breakers_from_redis()
        metrics.add_source(Source("fleet", fleet.read))
        app = HealthApp(
            report=eyes.checker.report,
            live=live,
            ready=ready,
            metrics=metrics.expose,
            queue=eyes.queues.one,
        )
        self.server = HealthServer(app, settings.http_host, settings.http_port)
        registry = WorkerRegistry(eyes.client)
        self._heartbeat = Heartbeat(registry, lambda: identity, clock, _observe_beats(metrics))

    def start(self) -> None:
        """Serve and beat.

        Raises:
            ConfigError: the port is taken.
        """
        self.server.start()
        self._heartbeat.start()

    def stop(self) -> None:
        """Sign off; the server stays up until the process ends."""
        self._heartbeat.stop()
