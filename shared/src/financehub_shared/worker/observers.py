"""Builds the middleware that observes a worker process: health, metrics, run records and heartbeat."""

from financehub_shared.core.clock import SystemClock
from financehub_shared.core.durations import DAY_SECONDS
from financehub_shared.core.settings import Settings
from financehub_shared.health.app import HealthApp
from financehub_shared.health.processes import ProcessInfo, ProcessRegistry
from financehub_shared.health.readers import OBSERVER_TIMEOUT_SECONDS, RedisReaders, redis_servers
from financehub_shared.health.redis_probe import RedisProbe
from financehub_shared.health.server import HealthServer
from financehub_shared.logging import Redactor, known_secrets
from financehub_shared.metrics import Metrics
from financehub_shared.monitor.event_losses import EventLosses, LossReason
from financehub_shared.monitor.record_writer import RecordWriter
from financehub_shared.redis.client import SCRAPE_TIMEOUT_SECONDS
from financehub_shared.redis.server_clock import ServerClock
from financehub_shared.redis.watch import RedisWatch
from financehub_shared.worker.middleware.attempt_tracker import AttemptTracker
from financehub_shared.worker.middleware.health_server import HealthServerMiddleware
from financehub_shared.worker.middleware.heartbeat import WorkerHeartbeat
from financehub_shared.worker.middleware.liveness import Liveness
from financehub_shared.worker.middleware.redis_watch import RedisWatchMiddleware
from financehub_shared.worker.middleware.run_log import RunLog
from financehub_shared.worker.middleware.run_metrics import RunMetrics
from financehub_shared.worker.middleware.run_recorder import RunRecorder
from financehub_shared.worker.pipeline import Observers


def build_observers(settings: Settings, tier: str, metrics: Metrics, *, clock: ServerClock | None = None) -> Observers:
    """Build the observers of a worker process, for `build_broker(settings, observers=…)`.

    Args:
        settings: Settings of the process.
        tier: Tier of the worker.
        metrics: The process's metrics, which providers and breakers also use.
        clock: Clock of the process, which the observers correct by the time of Redis.
    """
    clock = clock or ServerClock(SystemClock())
    readers = RedisReaders(settings, clock)
    servers = redis_servers(settings, SCRAPE_TIMEOUT_SECONDS)
    metrics.set_redis_probe(RedisProbe(servers, clock.local, metrics.redis_command_duration, details=False))
    identity = ProcessInfo.of_this_process(tier, clock.now())
    attempts = AttemptTracker(clock, settings.dramatiq_task_timeout / 1_000)
    watch = RedisWatch(redis_servers(settings, OBSERVER_TIMEOUT_SECONDS), clock)
    liveness = Liveness(attempts, clock, watch.blocked)
    redact = Redactor(known_secrets(settings))
    for reason in LossReason:
        # Prometheus does not see the first increase of a series that did not exist before.
        metrics.count_lost_run_events(reason.value, 0)
    losses = EventLosses(clock.monotonic, metrics.count_lost_run_events)
    writer = RecordWriter(readers.client, clock.monotonic, settings.run_retention_days * DAY_SECONDS, losses)
    registry = ProcessRegistry(readers.client)
    app = HealthApp(
        report=readers.checker.report,
        liveness=liveness.live,
        readiness=liveness.ready,
        metrics=metrics.expose,
        queue=readers.queues.read,
        clock=clock,
    )
    return Observers(
        attempts=attempts,
        run_log=RunLog(attempts, clock, redact),
        run_metrics=RunMetrics(metrics, attempts, clock),
        run_recorder=RunRecorder(writer, attempts, identity.id, clock, redact),
        heartbeat=WorkerHeartbeat(
            registry, identity, attempts, clock, metrics.redis_command_duration.labels("queues").observe
        ),
        liveness=liveness,
        redis_watch=RedisWatchMiddleware(watch),
        health_server=HealthServerMiddleware(HealthServer(app.respond, settings.http_host, settings.http_port)),
    )
