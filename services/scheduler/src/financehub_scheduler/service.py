"""Everything one scheduler process runs, wired together and ended together."""

import asyncio
import signal
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import structlog
from redis.exceptions import RedisError

from financehub_scheduler.engine import Engine
from financehub_scheduler.enqueue import Enqueuer
from financehub_scheduler.errands import INTERVAL_SECONDS, Errands
from financehub_scheduler.observer import Observer
from financehub_scheduler.outlook import PUBLISH_SECONDS, Outlook
from financehub_scheduler.registry import CLAIM_INTERVAL_SECONDS, Registry
from financehub_scheduler.sources.files import FileSource
from financehub_shared.clock import Clock, SystemClock
from financehub_shared.logging import configure_logging
from financehub_shared.metrics import Metrics
from financehub_shared.redis_client import connect_async
from financehub_shared.settings import Settings

log = structlog.get_logger(__name__)


async def serve(settings: Settings, folder: Path, signals: Sequence[signal.Signals]) -> None:
    """Run one scheduler until a signal.

    Args:
        settings: of the process.
        folder: ScheduledTask files.
        signals: which ones end it; the batch under way is finished first.

    Raises:
        ConfigError: the folder is not there.
    """
    configure_logging(settings, "scheduler")
    clock = SystemClock()
    source = FileSource(folder, clock)
    client = connect_async(settings.broker_url, retries=1)
    metrics = Metrics("scheduler")
    observer = Observer(metrics)
    registry = Registry(client)
    enqueuer = Enqueuer(client, settings.run_retention_days * 86_400)
    engine = Engine(clock, registry, enqueuer, observer)
    errands = Errands(clock, client, enqueuer, observer, engine.live)
    engine.on_registered = errands.registered
    outlook = Outlook(clock, registry, observer, engine)

    async def follow() -> None:
        async for changes in source.changes():
            engine.apply(changes)
            outlook.refused = dict(source.refused)

    async def claim() -> None:
        engine.restore(await registry.claim(list(engine.live), clock.now()))
        engine.reclaim()

    for number in signals:
        asyncio.get_running_loop().add_signal_handler(number, engine.stop)
    log.info("scheduler_started", schedules=str(folder))
    try:
        async with asyncio.TaskGroup() as group:
            helpers = [
                group.create_task(follow()),
                group.create_task(_every(INTERVAL_SECONDS, errands.step, engine, clock)),
                group.create_task(_every(PUBLISH_SECONDS, outlook.step, engine, clock)),
                group.create_task(_every(CLAIM_INTERVAL_SECONDS, claim, engine, clock)),
            ]
            await engine.run()
            for helper in helpers:
                helper.cancel()
    finally:
        await client.aclose()
    log.info("scheduler_stopped")


async def _every(seconds: float, step: Callable[[], Awaitable[None]], engine: Engine, clock: Clock) -> None:
    while True:
        try:
            await step()
            engine.acknowledged()
        except RedisError as error:
            # the engine's own loop says when Redis is away and back; here it is only a step not done
            log.debug("step_postponed", error=str(error))
        await clock.sleep(seconds)
