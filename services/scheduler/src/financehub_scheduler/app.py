"""The composition root: builds, connects, runs and stops all components of a scheduler process."""

import asyncio
import signal
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import structlog
from redis.asyncio import Redis

from financehub_scheduler.api.schedule import Schedule
from financehub_scheduler.core.changes import Changes
from financehub_scheduler.core.claims import Claims
from financehub_scheduler.core.engine import Engine
from financehub_scheduler.core.followers import INTERVAL_SECONDS as FOLLOWERS_SECONDS
from financehub_scheduler.core.followers import Followers
from financehub_scheduler.core.health_probe import HealthProbe
from financehub_scheduler.core.listener import Listeners
from financehub_scheduler.core.next_runs import PUBLISH_SECONDS, NextRunPublisher
from financehub_scheduler.core.on_demand import INTERVAL_SECONDS, RELEASE_SECONDS, OnDemandRuns
from financehub_scheduler.core.pauses import INTERVAL_SECONDS as PAUSES_SECONDS
from financehub_scheduler.core.pauses import Pauses
from financehub_scheduler.core.reporter import Reporter
from financehub_scheduler.core.state import ScheduleState
from financehub_scheduler.declared_assets import ASSETS_SECONDS, DeclaredAssets
from financehub_scheduler.metrics import (
    FailingSchedules,
    known_schedules,
    pause_metrics,
    state_metrics,
    time_event_loop,
)
from financehub_scheduler.observability import SchedulerObservability
from financehub_scheduler.periodic import (
    JanitorRounds,
    Step,
    cancel_all,
    every,
    freeze_startup_objects,
    log_errors,
    only_if,
    redis_step,
)
from financehub_scheduler.redis.enqueuer import Enqueuer
from financehub_scheduler.redis.predecessors import PredecessorReader
from financehub_scheduler.redis.registry import CLAIM_INTERVAL_SECONDS, FIND_LOSS_SECONDS, Registry
from financehub_scheduler.signals import handle_signals, ignore_signals
from financehub_scheduler.sources.files import FileSource
from financehub_shared.broker.janitor import Janitor
from financehub_shared.core.clock import Clock, SystemClock
from financehub_shared.core.durations import DAY_SECONDS
from financehub_shared.core.exit_deadline import ExitDeadline
from financehub_shared.core.settings import Settings
from financehub_shared.health.readers import OBSERVER_TIMEOUT_SECONDS, redis_servers
from financehub_shared.logging import Redactor, configure_logging, known_secrets
from financehub_shared.market.redis_store import RedisStore
from financehub_shared.metrics import Metrics, MetricSource
from financehub_shared.redis.client import SCRAPE_TIMEOUT_SECONDS, connect, connect_async
from financehub_shared.redis.server_clock import ServerClock
from financehub_shared.redis.watch import RedisWatch

if TYPE_CHECKING:
    from financehub_scheduler.kubernetes.operator import Operator

log = structlog.get_logger(__name__)

#: Deadline of a shutdown, which takes a few timeouts if Redis hangs. The chart's grace period is 30 s.
_EXIT_SECONDS = 25.0


class ScheduleSource(Protocol):
    """A source of schedules, which is a folder or a cluster."""

    @property
    def refused(self) -> Mapping[str, str]: ...
    def changes(self) -> AsyncIterator[Changes]: ...


@dataclass(frozen=True, slots=True)
class ClusterOrigin:
    """A cluster whose ScheduledTasks are the schedules.

    Args:
        namespaces: The watched namespaces; empty for all.
        lease: Name of the Lease whose holder writes status. Releases that share a namespace need different names.
    """

    namespaces: tuple[str, ...] = ()
    lease: str = "financehub-scheduler"

    def __str__(self) -> str:
        return f"cluster, namespaces {', '.join(self.namespaces) or 'all'}"


@dataclass(frozen=True, slots=True)
class _Parts:
    """The components of one process."""

    clock: Clock
    metrics: Metrics
    client: Redis
    source: ScheduleSource
    operator: "Operator | None"
    engine: Engine
    publisher: NextRunPublisher
    read_assets: Step
    observability: SchedulerObservability
    steps: Sequence[tuple[float, Step]]
    watch: RedisWatch


async def serve(settings: Settings, origin: Path | ClusterOrigin, signals: Sequence[signal.Signals]) -> None:
    """Run one scheduler until a signal arrives.

    Args:
        settings: Settings of the process.
        origin: Source of the schedules: a folder of ScheduledTask files, or a cluster.
        signals: The signals that stop it. It finishes the current batch first.

    Raises:
        ConfigError: The folder does not exist, no cluster is configured, or the HTTP port is in use.
    """
    configure_logging(settings, "scheduler")
    parts = await _build(settings, origin)
    engine, clock = parts.engine, parts.clock
    # After everything that can refuse the configuration, so that its error is the only line.
    parts.observability.start_server()
    # Before everything that waits for Redis, which takes seconds if it hangs.
    handle_signals(signals, engine.stop, ExitDeadline(_EXIT_SECONDS))
    try:
        # Before the engine and the heartbeat, so that due times are compared with the time of Redis from the first one
        # on.
        await asyncio.to_thread(parts.watch.start)
        parts.observability.start_heartbeat()
        log.info("scheduler_started", schedules=str(origin))
        await parts.read_assets()
        async with asyncio.TaskGroup() as group:
            background = [
                follow(parts.source, engine, parts.publisher),
                freeze_startup_objects(engine, clock),
                time_event_loop(parts.metrics.event_loop_lag, clock),
                *(every(seconds, step, clock) for seconds, step in parts.steps),
            ]
            tasks = [group.create_task(coroutine) for coroutine in background]
            try:
                await engine.run()
            finally:
                await cancel_all(tasks)
    finally:
        ignore_signals(signals)
        await asyncio.to_thread(parts.observability.stop)
        await asyncio.to_thread(parts.watch.stop)
        if parts.operator:
            await parts.operator.aclose()
        await parts.client.aclose()
    log.info("scheduler_stopped")


async def _build(settings: Settings, origin: Path | ClusterOrigin) -> _Parts:
    clock, metrics = ServerClock(SystemClock()), Metrics("scheduler", settings.release)
    watch = RedisWatch(redis_servers(settings, OBSERVER_TIMEOUT_SECONDS), clock)
    # A single retry recovers a connection that was lost in a Redis restart. Executing a batch twice does no harm.
    client = connect_async(settings.broker_url, retries=1)
    #: uid → state of each active schedule. The engine fills it.
    states: dict[str, ScheduleState] = {}
    operator: Operator | None = None
    if isinstance(origin, Path):
        source: ScheduleSource = FileSource(origin, clock)
    else:
        # Imported here, because a scheduler with a folder does not need kopf, which takes a second and 25 MB.
        from financehub_scheduler.kubernetes import operator as kubernetes

        redact = Redactor(known_secrets(settings))
        operator = await kubernetes.Operator.connect(clock, origin.namespaces, origin.lease, states, client, redact)
        source = operator.source
    registry = Registry(client)
    run_ttl = settings.run_retention_days * DAY_SECONDS
    enqueuer = Enqueuer(client, run_ttl, max_backlog=settings.max_backlog)
    assets = DeclaredAssets(RedisStore(connect(settings.store_url, retries=0)), settings.assets_file)
    reporter = Reporter(metrics, states)
    # The engine and the on-demand runs report what happens to these listeners.
    listeners = [reporter, *(operator.listeners if operator else ())]
    on_demand = OnDemandRuns(clock, client, enqueuer, states, Listeners(listeners))
    publisher = NextRunPublisher(clock, registry, reporter, states)
    # The engine also reports to the on-demand runs and the publisher, which react to its actions.
    engine_listeners = Listeners([*listeners, on_demand, publisher])

    def check_arguments(schedule: Schedule) -> str:
        return schedule.size_problem(settings.max_message_bytes) or assets.argument_problem(schedule)

    engine = Engine(clock, registry, enqueuer, states, engine_listeners, check_arguments)
    pauses = Pauses(client, engine, clock)
    followers = Followers(PredecessorReader(client), engine, clock)
    claims = Claims(registry, engine, publisher, states, clock)
    source_checks = (operator.source.liveness, operator.source.startup_problems) if operator else ()
    observability = _build_observability(
        settings, metrics, HealthProbe(engine, clock, *source_checks), states, reporter, watch, clock
    )
    janitor = Janitor(
        connect(settings.broker_url, retries=0),
        heartbeat_timeout_seconds=settings.heartbeat_timeout_seconds,
        dead_letter_retention_days=settings.dead_letter_retention_days,
        max_dead_letters=settings.max_dead_letters,
    )
    janitor_rounds = JanitorRounds(janitor, metrics, states)

    @log_errors
    async def run_janitor() -> None:
        await asyncio.to_thread(janitor_rounds.run)

    @log_errors
    async def read_assets() -> None:
        if await asyncio.to_thread(assets.step):
            engine.recheck_arguments()

    async def run_requests() -> None:
        # The first triggers fetch data for the declared assets, so the assets must be written before.
        if assets.known:
            await on_demand.step()

    async def claim() -> None:
        await claims.renew()
        # If two folders differ, either may be right. In a cluster, the API server is right and our copy may be
        # outdated.
        engine.reregister_superseded(operator.source.observed_at if operator else clock.monotonic())

    redis_steps: list[tuple[float, Step]] = [
        (INTERVAL_SECONDS, run_requests),
        (PAUSES_SECONDS, pauses.step),
        (FOLLOWERS_SECONDS, followers.step),
        (PUBLISH_SECONDS, publisher.step),
        (CLAIM_INTERVAL_SECONDS, claim),
        (FIND_LOSS_SECONDS, claims.find_loss),
        *(operator.redis_steps if operator else ()),
    ]
    other_steps: list[tuple[float, Step]] = [
        (settings.janitor_interval_seconds, run_janitor),
        (ASSETS_SECONDS, read_assets),
        (RELEASE_SECONDS, only_if(on_demand.has_released, redis_step(on_demand.release_more, engine, client))),
        *((seconds, log_errors(step)) for seconds, step in (operator.steps if operator else ())),
    ]
    steps = [*((seconds, redis_step(step, engine, client)) for seconds, step in redis_steps), *other_steps]
    return _Parts(clock, metrics, client, source, operator, engine, publisher, read_assets, observability, steps, watch)


def _build_observability(
    settings: Settings,
    metrics: Metrics,
    probe: HealthProbe,
    states: Mapping[str, ScheduleState],
    reporter: Reporter,
    watch: RedisWatch,
    clock: ServerClock,
) -> SchedulerObservability:
    """Build the probes, health reports, heartbeat and metrics of this process and the fleet."""
    client = connect(settings.broker_url, retries=0, timeout=SCRAPE_TIMEOUT_SECONDS)
    failing = FailingSchedules(states, reporter, client)
    metrics.add_source(MetricSource("schedules", partial(state_metrics, states), needs_redis=False))
    metrics.add_source(MetricSource("paused schedules", partial(pause_metrics, states, reporter), needs_redis=False))
    metrics.add_source(MetricSource("failing schedules", failing.read))
    known = partial(known_schedules, states)

    def readiness() -> list[str]:
        # The engine knows only that Redis does not take its runs, but not the reason.
        return watch.blocked() or probe.readiness()

    return SchedulerObservability(
        settings, metrics, liveness=probe.liveness, readiness=readiness, known_schedules=known, clock=clock
    )


async def follow(source: ScheduleSource, engine: Engine, publisher: NextRunPublisher) -> None:
    """Forward all changes that a source reports to the engine, forever."""
    async for changes in source.changes():
        publisher.refused = dict(source.refused)
        engine.apply(changes)
