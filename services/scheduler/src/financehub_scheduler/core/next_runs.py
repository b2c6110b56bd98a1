"""Publishes the next runs of schedules in Redis, in small steps, for listings and metrics.

Each scheduler publishes those of its own share. Some seconds later, the others compare what was published with what
they plan, and publish it themselves if it differs: the owner may have died before, or may not have the schedule.
"""

import asyncio
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Protocol

from redis.exceptions import RedisError

from financehub_scheduler.api.schedule import Schedule
from financehub_scheduler.core.listener import SchedulerListener
from financehub_scheduler.core.shares import Shares
from financehub_scheduler.core.state import ScheduleState, next_times
from financehub_scheduler.redis.registry import Registry
from financehub_shared.core.clock import Clock
from financehub_shared.redis.schedule_record import NextRuns

PUBLISH_SECONDS = 2.0
#: Number of next times to publish per schedule.
_NEXT_TIMES = 3
#: Schedules per write, which takes about 3 ms. The engine can check for due runs between two writes.
_BATCH = 50
#: Seconds after a change at which the other schedulers compare what its owner has published.
_COMPARE_SECONDS = 10.0


class NextRunObserver(Protocol):
    """Is told what is published."""

    def next_run_published(self, name: str, at: float | None) -> None:
        """The next run of a schedule is published, or another scheduler does it.

        Args:
            name: Name of the schedule.
            at: Time of its next run (due time plus jitter), Unix seconds; None if there is no next run.
        """


class NextRunPublisher(SchedulerListener):
    """Publishes the runs that the engine plans.

    Args:
        clock: The clock.
        registry: Writes to Redis.
        observer: Updates the metrics; None if another process does.
        states: uid → state of each active schedule.
        shares: Decides which schedules this scheduler publishes; None for all.
    """

    def __init__(
        self,
        clock: Clock,
        registry: Registry,
        observer: NextRunObserver | None,
        states: Mapping[str, ScheduleState],
        shares: Shares | None = None,
    ) -> None:
        self._clock = clock
        self._registry = registry
        self._observer = observer
        self._states = states
        self._shares = shares or Shares(clock)
        #: Uids of the schedules that have changed since they were last published.
        self._changed: set[str] = set()
        #: uid → monotonic time at which to compare what another scheduler has published, earliest first.
        self._comparisons: dict[str, float] = {}
        #: `file:line` → problem, as the source last reported it.
        self.refused: Mapping[str, str] = {}
        self._published_refused: Mapping[str, str] | None = None

    def next_run_changed(self, uid: str) -> None:
        self._changed.add(uid)

    def schedule_removed(self, schedule: Schedule) -> None:
        self._changed.discard(schedule.uid)
        self._comparisons.pop(schedule.uid, None)

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
            states = [state for uid in uids if (state := self._states.get(uid))]
            own = [state for state in states if self._shares.owns(state.schedule.uid)]
            # Cleared before the write, so that a change during the write counts as a further change.
            self._changed.difference_update(uids)
            try:
                await self._publish(own)
            except RedisError:
                self._changed.update(uids)
                raise
            for state in states:
                uid = state.schedule.uid
                # It may have been removed during the write, and nothing may be kept of it.
                if self._states.get(uid) is state and not self._shares.owns(uid):
                    self._observe(state.schedule.name, state.next_enqueue)
                    self._comparisons.setdefault(uid, self._clock.monotonic() + _COMPARE_SECONDS)
            await asyncio.sleep(0)
        while uids := self._comparisons_due():
            published = await self._registry.next_runs(uids)
            for uid in uids:
                self._comparisons.pop(uid, None)
            pairs = ((self._states.get(uid), entry) for uid, entry in zip(uids, published, strict=True))
            different = [state for state, entry in pairs if state and not _is_current(entry, state)]
            try:
                await self._publish(await self._unsettled(different))
            except RedisError:
                # In front, because the entries are in the order of their times.
                self._comparisons = {**dict.fromkeys(uids, self._clock.monotonic()), **self._comparisons}
                raise
            await asyncio.sleep(0)

    async def _unsettled(self, states: Sequence[ScheduleState]) -> list[ScheduleState]:
        """Return the states whose next run is not settled yet.

        The owner settles a run before this scheduler looks for it, and its newer entry must not be replaced. After the
        look, the next run changes, and is compared again.
        """
        now = self._clock.now()
        found = [state for state in states if state.next_enqueue is None or state.next_enqueue > now]
        marks = await self._registry.high_water_marks([state.schedule.uid for state in found]) if found else []
        return [state for state, mark in zip(found, marks, strict=True) if not self._is_settled(state, mark or 0)]

    def _is_settled(self, state: ScheduleState, mark_ms: int) -> bool:
        is_past = state.next_due is not None and round(state.next_due * 1000) <= mark_ms
        # A schedule that was removed or replaced meanwhile has no next run to publish either.
        return is_past or self._states.get(state.schedule.uid) is not state

    def _comparisons_due(self) -> list[str]:
        now = self._clock.monotonic()
        return [uid for uid, at in islice(self._comparisons.items(), _BATCH) if at <= now]

    async def _publish(self, states: Sequence[ScheduleState]) -> None:
        await self._registry.publish({state.schedule.uid: self._next_runs(state) for state in states})

    def _next_runs(self, state: ScheduleState) -> NextRuns:
        times = next_times(state, _NEXT_TIMES)
        self._observe(state.schedule.name, times[0] if times else None)
        return NextRuns(tuple(times), state.problem)

    def _observe(self, name: str, at: float | None) -> None:
        if self._observer is not None:
            self._observer.next_run_published(name, at)


def _is_current(published: NextRuns | None, state: ScheduleState) -> bool:
    """Whether published next runs begin with the run that this scheduler plans, and have the same problem."""
    if published is None:
        return False
    first = published.times[0] if published.times else None
    return (first, published.problem) == (state.next_enqueue, state.problem)
