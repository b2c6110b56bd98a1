"""Publishes all schedules' next runs in Redis, in small steps, for listings and metrics."""

import asyncio
from collections.abc import Mapping
from itertools import islice

from redis.exceptions import RedisError

from financehub_scheduler.api.schedule import Schedule
from financehub_scheduler.core.listener import SchedulerListener
from financehub_scheduler.core.reporter import Reporter
from financehub_scheduler.core.state import ScheduleState, next_times
from financehub_scheduler.redis.registry import Registry
from financehub_shared.core.clock import Clock
from financehub_shared.redis.schedule_record import NextRuns

PUBLISH_SECONDS = 2.0
#: Number of next times to publish per schedule.
_NEXT_TIMES = 3
#: Schedules per write, which takes about 3 ms. The engine can check for due runs between two writes.
_BATCH = 50


class NextRunPublisher(SchedulerListener):
    """Publishes the runs that the engine plans.

    Args:
        clock: The clock.
        registry: Writes to Redis.
        reporter: Updates the metrics.
        states: uid → state of each active schedule.
    """

    def __init__(
        self, clock: Clock, registry: Registry, reporter: Reporter, states: Mapping[str, ScheduleState]
    ) -> None:
        self._clock = clock
        self._registry = registry
        self._reporter = reporter
        self._states = states
        #: Uids of the schedules that have changed since they were last published.
        self._changed: set[str] = set()
        #: `file:line` → problem, as the source last reported it.
        self.refused: Mapping[str, str] = {}
        self._published_refused: Mapping[str, str] | None = None

    def next_run_changed(self, uid: str) -> None:
        self._changed.add(uid)

    def schedule_removed(self, schedule: Schedule) -> None:
        self._changed.discard(schedule.uid)

    def publish_again(self) -> None:
        """Publish everything at the next step, because Redis has lost data."""
        self._published_refused = None
        self._changed.update(self._states)

    async def step(self) -> None:
        """Publish the changes since the last step.

        Raises:
            redis.RedisError: Redis is unavailable; a later step publishes the remaining changes.
        """
        if self.refused != self._published_refused:
            refused = self.refused
            await self._registry.publish_refused(refused, self._clock.now())
            self._published_refused = refused
        while uids := list(islice(self._changed, _BATCH)):
            entries = {uid: self._next_runs(state) for uid in uids if (state := self._states.get(uid))}
            # Cleared before the write, so that a change during the write counts as a further change.
            self._changed.difference_update(uids)
            try:
                await self._registry.publish(entries)
            except RedisError:
                self._changed.update(uids)
                raise
            await asyncio.sleep(0)

    def _next_runs(self, state: ScheduleState) -> NextRuns:
        times = next_times(state, _NEXT_TIMES)
        self._reporter.next_run_published(state.schedule.name, times[0] if times else None)
        return NextRuns(tuple(times), state.problem)
