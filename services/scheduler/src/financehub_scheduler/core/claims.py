"""Renews the claims on this scheduler's schedules, and restores those that Redis has lost."""

import math
from collections.abc import Mapping

import structlog

from financehub_scheduler.core.engine import Engine
from financehub_scheduler.core.next_runs import NextRunPublisher
from financehub_scheduler.core.state import ScheduleState
from financehub_scheduler.redis.registry import Registry
from financehub_shared.core.clock import Clock

log = structlog.get_logger(__name__)


class Claims:
    """The claims on all active schedules.

    Args:
        registry: The registry of schedules in Redis.
        engine: Registers lost schedules again.
        publisher: Publishes their next runs again.
        states: uid → state of each active schedule.
        clock: The clock.
    """

    def __init__(
        self,
        registry: Registry,
        engine: Engine,
        publisher: NextRunPublisher,
        states: Mapping[str, ScheduleState],
        clock: Clock,
    ) -> None:
        self._registry = registry
        self._engine = engine
        self._publisher = publisher
        self._states = states
        self._clock = clock
        #: Number of schedules in Redis when the last claim found no loss.
        self._intact_count: float = math.inf

    async def renew(self) -> None:
        """Renew all claims, and restore the schedules that Redis has lost, wholly or in part.

        Raises:
            RedisError: Redis did not reply.
        """
        lost = await self._registry.claim(list(self._states), self._clock.now())
        # Redis may have fewer schedules than we run, because another scheduler has deleted some. These are not lost.
        self._intact_count = math.inf if lost else await self._registry.count()
        if lost:
            log.warning("schedules_lost", count=len(lost), total=len(self._states))
            self._engine.restore(lost)
            self._publisher.publish_again()

    async def find_loss(self) -> None:
        """Renew all claims if Redis has fewer schedules than before, such as a server that came back empty.

        A partial loss may be found only when the claims are renewed.

        Raises:
            RedisError: Redis did not reply.
        """
        if await self._registry.count() < min(len(self._states), self._intact_count):
            await self.renew()
