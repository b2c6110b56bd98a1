"""Everything one scheduler process runs, wired together and ended together."""

import asyncio
import gc
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from financehub_scheduler.core.engine import Engine
from financehub_scheduler.core.health_probe import Vitals, Watched
from financehub_scheduler.core.next_runs import PUBLISH_SECONDS, Outlook
from financehub_scheduler.core.observer import Observer
from financehub_scheduler.core.on_demand import INTERVAL_SECONDS, Errands
from financehub_scheduler.core.state import Changes
from financehub_scheduler.declared_assets import ASSETS_SECONDS, Assets
from financehub_scheduler.janitor import JanitorRounds
from financehub_scheduler.metrics import FailingSchedules, known_schedules, state_metrics, time_event_loop
from financehub_scheduler.redis.enqueuer import Enqueuer
from financehub_scheduler.redis.registry import CLAIM_INTERVAL_SECONDS, Registry
from financehub_scheduler.sources.files import FileSource
from financehub_shared.broker.janitor import Janitor
from financehub_shared.core.clock import Clock, SystemClock
from financehub_shared.core.settings import Settings
from financehub_shared.logging import Redactor, configure_logging, known_secrets
from financehub_shared.market.redis_store import RedisStore
from financehub_shared.metrics import Metrics
from financehub_shared.metrics import Source as MetricsSource
from financehub_shared.redis.client import SCRAPE_TIMEOUT_SECONDS, connect, connect_async
from financehub_shared.worker.observers import SchedulerObservers

if TYPE_CHECKING:
    from financehub_scheduler.kubernetes.operator import Operator
    from financehub_scheduler.kubernetes.watch.source import CrdSource

log = structlog.get_logger(__name__)

_SETTLED_POLL_SECONDS = 0.2
#: How long a cancelled task may take to end before it is cancelled again.
_CANCEL_AGAIN_SECONDS = 0.5

Step = Callable[[], Awaitable[None]]


class Source(Protocol):
    """Where schedules come from."""

    @property
    def refused(self) -> Mapping[str, str]: ...
    def changes(self) -> AsyncIterator[Changes]: ...


@dataclass(frozen=True, slots=True)
class Cluster:
    """Schedules come from the cluster's ScheduledTasks.

    Args:
        namespaces: whose; none: all.
        lease: who of several schedulers holds it writes status; another name where releases share a namespace.
    """

    namespaces: tuple[str, ...] = ()
    lease: str = "financehub-scheduler"

    def __str__(self) -> str:
        return f"cluster, namespaces {', '.join(self.namespaces) or 'all'}"


async def serve(settings: Settings, origin: Path | Cluster, signals: Sequence[signal.Signals]) -> None:
    """Run one scheduler until a signal.

    Args:
        settings: of the process.
        origin: where schedules come from: a folder of ScheduledTask files, or a cluster.
        signals: which ones end it; the batch under way is finished first.

    Raises:
        ConfigError: the folder or the cluster's address is not there, or the HTTP port is taken.
    """
    configure_logging(settings, "scheduler")
    clock, metrics = SystemClock(), Metrics("scheduler", settings.release)
    source, operator = await _open(origin, clock)
    # One retry mends a connection that a restart of Redis has cut: a batch may be carried out twice without harm.
    client = connect_async(settings.broker_url, retries=1)
    observer, registry = Observer(metrics), Registry(client)
    enqueuer = Enqueuer(client, settings.run_retention_days * 86_400)
    assets = Assets(RedisStore(connect(settings.store_url, retries=0)), settings.assets_file)
    engine = Engine(clock, registry, enqueuer, observer, assets.refusal)
    errands = Errands(clock, client, enqueuer, observer, engine.live)
    engine.on_registered = errands.registered
    outlook = Outlook(clock, registry, observer, engine)
    vitals = Vitals(engine, clock, *((operator.source.live, operator.source.starting) if operator else ()))
    observers = observe(settings, metrics, vitals, engine, observer)
    janitor = Janitor(
        connect(settings.broker_url, retries=0),
        heartbeat_timeout_seconds=settings.heartbeat_timeout_seconds,
        dead_letter_retention_days=settings.dead_letter_retention_days,
    )

    async def look_at_assets() -> None:
        if await asyncio.to_thread(assets.step):
            engine.recheck()

    async def carry_out() -> None:
        # the first triggers fetch for the declared assets, which come first
        if assets.known:
            await errands.step()

    async def claim() -> None:
        engine.restore(await registry.claim(list(engine.live), clock.now()))
        # of two folders either may be right; in a cluster there is one truth, and ours is late until it is seen anew
        engine.reclaim(operator.source.looked if operator else clock.monotonic())

    steps: list[tuple[float, Step]] = [
        (INTERVAL_SECONDS, acknowledged(carry_out, engine, client)),
        (PUBLISH_SECONDS, acknowledged(outlook.step, engine, client)),
        (CLAIM_INTERVAL_SECONDS, acknowledged(claim, engine, client)),
        (settings.janitor_interval_seconds, partial(asyncio.to_thread, JanitorRounds(janitor, metrics).step)),
        (ASSETS_SECONDS, look_at_assets),
    ]
    if operator:
        steady, on_redis = operator.steps(engine, errands, observer, client, Redactor(known_secrets(settings)))
        steps += [*steady, *((seconds, acknowledged(step, engine, client)) for seconds, step in on_redis)]
    observers.start()
    for number in signals:
        asyncio.get_running_loop().add_signal_handler(number, engine.stop)
    log.info("scheduler_started", schedules=str(origin))
    try:
        await look_at_assets()
        async with asyncio.TaskGroup() as group:
            helpers = [group.create_task(follow(source, engine, outlook))]
            helpers.append(group.create_task(spare_garbage_collection(engine, clock)))
            helpers.append(group.create_task(time_event_loop(metrics.event_loop_lag, clock)))
            helpers += [group.create_task(every(*step, clock)) for step in steps]
            try:
                await engine.run()
            finally:
                await end(helpers)
    finally:
        await asyncio.to_thread(observers.stop)
        if operator:
            await operator.aclose()
        await client.aclose()
    log.info("scheduler_stopped")


async def _open(origin: Path | Cluster, clock: Clock) -> "tuple[FileSource, None] | tuple[CrdSource, Operator]":
    if isinstance(origin, Path):
        return FileSource(origin, clock), None
    # here, because kopf takes a second and 25 MB, which a folder has no use for
    from financehub_scheduler.kubernetes.operator import Operator

    operator = await Operator.connect(clock, origin.namespaces, origin.lease)
    return operator.source, operator


def observe(
    settings: Settings, metrics: Metrics, vitals: Vitals, engine: Engine, observer: Observer
) -> SchedulerObservers:
    """Build what shows this process and the fleet: probes, health, heartbeat, and what each scrape reads."""
    client = connect(settings.broker_url, retries=0, timeout=SCRAPE_TIMEOUT_SECONDS)
    failing = FailingSchedules(engine.live, observer, client)
    metrics.add_source(MetricsSource("schedules", partial(state_metrics, engine.live), asks_redis=False))
    metrics.add_source(MetricsSource("failing schedules", failing.read))
    known = partial(known_schedules, engine.live)
    return SchedulerObservers(settings, metrics, live=vitals.live, ready=vitals.ready, known_schedules=known)


async def follow(source: Source, engine: Engine, outlook: Outlook) -> None:
    """Hand over what a source finds, for ever."""
    async for changes in source.changes():
        outlook.refused = dict(source.refused)
        engine.apply(changes)


async def every(seconds: float, step: Step, clock: Clock) -> None:
    """Repeat a step for ever, `seconds` apart."""
    while True:
        await step()
        await clock.sleep(seconds)


async def spare_garbage_collection(engine: Watched, clock: Clock) -> None:
    """Set the schedules of the start apart: a walk through ten thousand takes 50 ms, often in the midst of a burst."""
    while not engine.settled:
        await clock.sleep(_SETTLED_POLL_SECONDS)
    gc.collect()
    gc.freeze()


async def end(tasks: Iterable[asyncio.Task[None]]) -> None:
    """Cancel tasks until all are done: a cancellation that meets a timeout of Redis is taken for the timeout."""
    pending = set(tasks)
    while pending:
        for task in pending:
            task.cancel()
        _, pending = await asyncio.wait(pending, timeout=_CANCEL_AGAIN_SECONDS)


def acknowledged(step: Step, engine: Engine, client: Redis) -> Step:
    """A step on Redis: its success is a sign of life, and its failure not the end of the process."""

    async def run() -> None:
        try:
            await step()
            # one that had nothing to do has asked nothing
            await client.ping()
        except RedisError as error:
            # found again by the next step
            engine.away(error)
        else:
            engine.acknowledged()

    return run
