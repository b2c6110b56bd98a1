"""Writes down when schedules are due next, a little at a time, for listings and metrics."""

import asyncio
from collections.abc import Mapping
from itertools import islice
from typing import Any

from redis.exceptions import RedisError

from financehub_scheduler.core.engine import Engine
from financehub_scheduler.core.observer import Observer
from financehub_scheduler.core.state import Live, next_times
from financehub_scheduler.redis.registry import Registry
from financehub_shared.core.clock import Clock

PUBLISH_SECONDS = 2.0
#: Next times shown per schedule.
_SHOWN = 3
#: Schedules between two looks at what is due: about 3 ms.
_CHUNK = 50


class Outlook:
    """Publishes what the engine expects.

    Args:
        clock: time.
        registry: where it is written.
        observer: metrics.
        engine: whose schedules.
    """

    def __init__(self, clock: Clock, registry: Registry, observer: Observer, engine: Engine) -> None:
        self._clock = clock
        self._registry = registry
        self._observer = observer
        self._engine = engine
        #: `file:line` → what is wrong, as the source last said.
        self.refused: Mapping[str, str] = {}
        self._published: Mapping[str, str] | None = None

    async def step(self) -> None:
        """Write what changed since the last step.

        Raises:
            redis.RedisError: Redis is away; the rest is written another time.
        """
        if self.refused != self._published:
            refused = self.refused
            await self._registry.publish_refused(refused, self._clock.now())
            self._published = refused
        while uids := list(islice(self._engine.dirty, _CHUNK)):
            entries = {uid: self._entry(live) for uid in uids if (live := self._engine.live.get(uid))}
            # before it is written: what moves meanwhile has moved again
            self._engine.dirty.difference_update(uids)
            try:
                await self._registry.publish(entries)
            except RedisError:
                self._engine.dirty.update(uids)
                raise
            await asyncio.sleep(0)

    def _entry(self, live: Live) -> dict[str, Any]:
        times = next_times(live, _SHOWN)
        self._observer.next_run(live.schedule.name, times[0] if times else None)
        return {"next": times, "problem": live.problem}
