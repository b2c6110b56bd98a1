"""The composition root of the engine process: builds, connects, runs and stops its components.

If the schedules are those of a cluster, everything that is not needed to fire them is in a companion process.
"""

import asyncio
import signal
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import structlog
from redis.asyncio import Redis

from financehub_scheduler.api.schedule import Schedule
from financehub_scheduler.core.changes import Changes
from financehub_scheduler.core.claims import Claims
from financehub_scheduler.core.engine import Engine
from financehub_scheduler.core.followers import INTERVAL_SECONDS as FOLLOWERS_SECONDS
from financehub_scheduler.core.followers import Followers
from financehub_scheduler.core.listener import Listeners
from financehub_scheduler.core.membership import Membership
from financehub_scheduler.core.next_runs import PUBLISH_SECONDS, NextRunPublisher
from financehub_scheduler.core.on_demand import INTERVAL_SECONDS, RELEASE_SECONDS, OnDemandRuns
from financehub_scheduler.core.pauses import INTERVAL_SECONDS as PAUSES_SECONDS
from financehub_scheduler.core.pauses import Pauses
from financehub_scheduler.core.run_log import RunLog
from financehub_scheduler.core.shares import Shares
from financehub_scheduler.core.state import ScheduleState
from financehub_scheduler.declared_assets import ASSETS_SECONDS, DeclaredAssets
from financehub_scheduler.link.origin import ClusterOrigin
from financehub_scheduler.link.spawn import Started
from financehub_scheduler.metrics import time_event_loop
from financehub_scheduler.observability import build_heartbeat
from financehub_scheduler.periodic import (
    Step,
    cancel_all,
    every,
    freeze_startup_objects,
    log_errors,
    only_if,
    redis_step,
)
from financehub_scheduler.redis.enqueuer import Enqueuer
from financehub_scheduler.redis.members import REFRESH_SECONDS, Members
from financehub_scheduler.redis.predecessors import PredecessorReader
from financehub_scheduler.redis.registry import CLAIM_INTERVAL_SECONDS, FIND_LOSS_SECONDS, Registry
from financehub_scheduler.signals import handle_signals, ignore_signals
from financehub_scheduler.surroundings.cluster import ClusterSurroundings
from financehub_scheduler.surroundings.folder import FolderSurroundings
from financehub_scheduler.surroundings.interface import Surroundings
from financehub_shared.core.clock import SystemClock
from financehub_shared.core.durations import DAY_SECONDS
from financehub_shared.core.exit_deadline import ExitDeadline
from financehub_shared.core.settings import Settings
from financehub_shared.health.processes import Heartbeat
from financehub_shared.health.readers import OBSERVER_TIMEOUT_SECONDS, redis_servers
from financehub_shared.logging import configure_logging
from financehub_shared.market.redis_store import RedisStore
from financehub_shared.redis.client import connect, connect_async
from financehub_shared.redis.server_clock import ServerClock
from financehub_shared.redis.watch import RedisWatch

log = structlog.get_logger(__name__)

#: Deadline of a shutdown, which takes a few timeouts if Redis hangs. The chart's grace period is 30 s.
_EXIT_SECONDS = 25.0


@dataclass(frozen=True, slots=True)
class _Parts:
    """The components of one engine process."""

    clock: ServerClock
    client: Redis
    surroundings: Surroundings
    engine: Engine
    membership: Membership
    read_assets: Step
    heartbeat: Heartbeat
    steps: Sequence[tuple[float, Step]]
    watch: RedisWatch


async def serve(
    settings: Settings,
    origin: Path | ClusterOrigin,
    signals: Sequence[signal.Signals],
    companion: Started | None = None,
) -> None:
    """Run one scheduler until a signal arrives.

    Args:
        settings: Settings of the process.
        origin: Source of the schedules: a folder of ScheduledTask files, or a cluster.
        signals: The signals that stop it. It finishes the current batch first.
        companion: The companion of a cluster, if it was started already.

    Raises:
        ConfigError: The folder does not exist, or the HTTP port is in use.
        SystemExit: The companion process refuses the configuration, and has printed why.
    """
    configure_logging(settings, "scheduler")
    parts = _build(settings, origin, companion)
    engine, clock, surroundings = parts.engine, parts.clock, parts.surroundings
    # First, because its error is the only line if it refuses the configuration.
    if not await _open(surroundings, engine, signals):
        return
    try:
        # Before the engine and the heartbeat, so that due times are compared with the time of Redis from the first one
        # on.
        await asyncio.to_thread(parts.watch.start)
        parts.heartbeat.start()
        log.info("scheduler_started", schedules=str(origin))
        await parts.read_assets()
        async with asyncio.TaskGroup() as group:
            background = [
                *surroundings.background(),
                freeze_startup_objects(engine, clock),
                time_event_loop(surroundings.loop_lags, clock),
                *(every(seconds, step, clock) for seconds, step in parts.steps),
            ]
            tasks = [group.create_task(coroutine) for coroutine in background]
            try:
                await engine.run()
            finally:
                await cancel_all(tasks)
                await parts.membership.leave()
    finally:
        ignore_signals(signals)
        await asyncio.to_thread(parts.heartbeat.stop)
        await asyncio.to_thread(parts.watch.stop)
        await surroundings.close()
        await parts.client.aclose()
    log.info("scheduler_stopped")


async def _open(surroundings: Surroundings, engine: Engine, signals: Sequence[signal.Signals]) -> bool:
    """Handle signals from now on, and open the surroundings. Return False if a signal has ended that.

    A companion that hangs or fails while it starts must not delay the end of the process.
    """
    task = asyncio.current_task()
    assert task is not None  # noqa: S101 — for mypy: a coroutine runs in a task
    is_open = False

    def stop() -> None:
        engine.stop()
        if not is_open:
            task.cancel()

    # Before everything that waits for the companion or for Redis, which takes seconds.
    handle_signals(signals, stop, ExitDeadline(_EXIT_SECONDS))
    try:
        await surroundings.open()
    except asyncio.CancelledError:
        if not engine.is_stopping:
            raise
        # A second signal must not interrupt this.
        ignore_signals(signals)
        task.uncancel()
        await surroundings.close()
        log.info("scheduler_stopped")
    else:
        is_open = True
    return is_open


def _build(settings: Settings, origin: Path | ClusterOrigin, companion: Started | None) -> _Parts:
    clock = ServerClock(SystemClock())
    watch = RedisWatch(redis_servers(settings, OBSERVER_TIMEOUT_SECONDS), clock)
    # A single retry recovers a connection that was lost in a Redis restart. Executing a batch twice does no harm.
    client = connect_async(settings.broker_url, retries=1)
    #: uid → state of each active schedule. The engine fills it.
    states: dict[str, ScheduleState] = {}
    surroundings: Surroundings
    if isinstance(origin, Path):
        surroundings = FolderSurroundings(settings, origin, states, clock, watch)
    else:
        surroundings = ClusterSurroundings(origin, states, clock, watch, companion)
    registry, shares = Registry(client), Shares(clock, uuid.uuid4().hex)
    run_ttl = settings.run_retention_days * DAY_SECONDS
    enqueuer = Enqueuer(client, run_ttl, max_backlog=settings.max_backlog)
    assets = DeclaredAssets(RedisStore(connect(settings.store_url, retries=0)), settings.assets_file)
    # The engine and the on-demand runs report what happens to these listeners.
    listeners = [RunLog(), *surroundings.listeners]
    on_demand = OnDemandRuns(clock, client, enqueuer, states, Listeners(listeners), shares)
    publisher = NextRunPublisher(clock, registry, surroundings.next_runs, states, shares)
    # The engine also reports to the on-demand runs and the publisher, which react to its actions.
    engine_listeners = Listeners([*listeners, on_demand, publisher])

    def check_arguments(schedule: Schedule) -> str:
        return schedule.size_problem(settings.max_message_bytes) or assets.argument_problem(schedule)

    engine = Engine(clock, registry, enqueuer, states, engine_listeners, check_arguments, shares=shares)
    membership = Membership(Members(client, shares.id), engine, shares, clock)
    pauses = Pauses(client, engine, clock)
    followers = Followers(PredecessorReader(client), engine, clock, shares)
    claims = Claims(registry, engine, publisher, states, clock, shares)

    def apply(changes: Changes, refused: Mapping[str, str]) -> None:
        publisher.refused = refused
        engine.apply(changes)

    surroundings.connect(engine, apply)

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
        engine.reregister_superseded(surroundings.observed_at)

    redis_steps: list[tuple[float, Step]] = [
        (REFRESH_SECONDS, membership.step),
        (INTERVAL_SECONDS, run_requests),
        (PAUSES_SECONDS, pauses.step),
        (FOLLOWERS_SECONDS, followers.step),
        (PUBLISH_SECONDS, publisher.step),
        (CLAIM_INTERVAL_SECONDS, claim),
        (FIND_LOSS_SECONDS, claims.find_loss),
    ]
    other_steps: list[tuple[float, Step]] = [
        (ASSETS_SECONDS, read_assets),
        (RELEASE_SECONDS, only_if(on_demand.has_released, redis_step(on_demand.release_more, engine, client))),
    ]
    steps = [*((seconds, redis_step(step, engine, client)) for seconds, step in redis_steps), *other_steps]
    heartbeat = build_heartbeat(settings, clock, surroundings.redis_seconds.observe)
    return _Parts(clock, client, surroundings, engine, membership, read_assets, heartbeat, steps, watch)
