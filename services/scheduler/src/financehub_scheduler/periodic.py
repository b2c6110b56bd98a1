"""Runs the scheduler's background tasks, such as the janitor, and cancels them at shutdown."""

import asyncio
import gc
from collections.abc import Awaitable, Callable, Iterable, Mapping
from functools import wraps
from typing import Protocol

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from financehub_scheduler.core.health_probe import Watched
from financehub_scheduler.core.state import ScheduleState
from financehub_shared.broker.janitor import Janitor
from financehub_shared.core.catalog import Tier
from financehub_shared.core.clock import Clock
from financehub_shared.metrics import Metrics
from financehub_shared.redis import keys
from financehub_shared.redis.replies import is_wrong_type
from financehub_shared.redis.server_facts import PROBE_TTL_SECONDS

log = structlog.get_logger(__name__)

Step = Callable[[], Awaitable[None]]

_REGISTERED_POLL_SECONDS = 0.2
#: Seconds that a canceled task has to end before it is canceled again.
_CANCEL_AGAIN_SECONDS = 0.5


async def every(seconds: float, step: Step, clock: Clock) -> None:
    """Repeat a step forever, with a pause in seconds after each."""
    while True:
        await step()
        await clock.sleep(seconds)


def log_errors(step: Step) -> Step:
    """Wrap a step, so that an unforeseen error is logged instead of ending the process.

    Another program may have written a value that nobody thought of, and all other work goes on. Errors of one type are
    logged once, until the step succeeds.

    Args:
        step: The step. Its next repetition does the remaining work.
    """

    async def run() -> None:
        try:
            await step()
        except Exception as error:  # boundary: see above
            if type(error) not in logged:
                logged.add(type(error))
                log.exception("scheduler_step_failed", step=getattr(step, "__qualname__", str(step)))
        else:
            logged.clear()

    logged: set[type[Exception]] = set()
    return run


def only_if(is_needed: Callable[[], bool], step: Step) -> Step:
    """Wrap a frequent step that rarely has something to do, so that Redis gets no command the rest of the time.

    Args:
        is_needed: Whether the step has something to do.
        step: The step.
    """

    async def run() -> None:
        if is_needed():
            await step()

    return run


class RedisUser(Protocol):
    """Is told whether Redis replies, which is the engine in its process."""

    def on_redis_unavailable(self, error: RedisError) -> None: ...
    def on_redis_reply(self) -> None: ...


def redis_step(step: Step, engine: RedisUser, client: Redis) -> Step:
    """Wrap a step that uses Redis, so that it tells the engine whether Redis replied instead of raising.

    Args:
        step: The step. It may raise RedisError; its next repetition does the remaining work.
        engine: The engine.
        client: The queue Redis.
    """

    @wraps(step)
    async def run() -> None:
        try:
            await step()
            # A step that had nothing to do has not sent a command, and a Redis that refuses writes answers reads.
            await client.set(keys.WRITE_PROBE, "1", ex=PROBE_TTL_SECONDS)
        except RedisError as error:
            if is_wrong_type(error):
                raise
            engine.on_redis_unavailable(error)
        else:
            engine.on_redis_reply()

    return log_errors(run)


def reading_step(step: Step) -> Step:
    """Wrap a step of the companion that uses Redis. The engine notices and logs each outage, and pauses.

    Args:
        step: The step. It may raise RedisError; its next repetition does the remaining work.
    """

    @wraps(step)
    async def run() -> None:
        try:
            await step()
        except RedisError as error:
            if is_wrong_type(error):
                raise
            log.debug("redis_step_failed", error=str(error))

    return log_errors(run)


class JanitorRounds:
    """Runs the janitor, and counts the messages that it reclaims.

    Args:
        janitor: The janitor of the broker.
        metrics: Counts reclaimed messages.
        states: uid → state of each active schedule; another thread changes it. The queues of schedules keep their
            series while they are empty. Other queues lose them, because their names may come from anyone.
    """

    def __init__(self, janitor: Janitor, metrics: Metrics, states: Mapping[str, ScheduleState]) -> None:
        self._janitor = janitor
        self._metrics = metrics
        self._states = states
        self._counted: set[str] = set()
        self._is_failing = False

    def run(self) -> None:
        """Run the janitor once. This blocks, so call it in a thread.

        If Redis is unavailable, the next call does the work.
        """
        try:
            reclaimed = self._janitor.run()
        except Exception as error:  # boundary: nothing that another program wrote to Redis may end the process
            if not self._is_failing:  # once per outage
                surprise = None if isinstance(error, RedisError) else error
                log.warning("janitor_round_failed", error=str(error), exc_info=surprise)
            self._is_failing = True
            return
        self._is_failing = False
        served = {*Tier, *(state.schedule.queue for state in list(self._states.values()))}
        for queue in self._counted - reclaimed.keys() - served:
            self._metrics.remove_queue(queue)
        for queue, count in reclaimed.items():
            self._metrics.count_reclaimed(queue, count)
        self._counted = {*reclaimed, *(self._counted & served)}


async def freeze_startup_objects(engine: Watched, clock: Clock) -> None:
    """Exclude the schedules that were loaded at startup from garbage collection.

    Visiting ten thousand of them takes 50 ms, often in the middle of a burst.
    """
    while not engine.all_registered:
        await clock.sleep(_REGISTERED_POLL_SECONDS)
    gc.collect()
    gc.freeze()


async def cancel_all(tasks: Iterable[asyncio.Task[None]]) -> None:
    """Cancel tasks until all have ended. The Redis client may mistake a cancellation for one of its own timeouts."""
    pending = set(tasks)
    while pending:
        for task in pending:
            task.cancel()
        _, pending = await asyncio.wait(pending, timeout=_CANCEL_AGAIN_SECONDS)
