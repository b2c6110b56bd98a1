"""Decides which statuses to compare, and when.

Hints that a status may be outdated come from four sources: the engine (the next run changed), the watch (a resource
changed), Redis (a run ended) and, in case a hint was lost, a periodic sweep over all resources.
"""

import asyncio
from collections.abc import Iterable
from functools import partial

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from financehub_scheduler.kubernetes.status.comparisons import SPACING_SECONDS, Comparisons, ResourceSource
from financehub_scheduler.kubernetes.status.conditions import evaluate, must_be_written_now
from financehub_scheduler.kubernetes.status.delay_queue import DelayQueue
from financehub_scheduler.kubernetes.status.review_queue import ReviewQueue
from financehub_scheduler.kubernetes.status.snapshot import read_records
from financehub_shared.core.clock import Clock
from financehub_shared.redis import keys
from financehub_shared.redis.key_types import arepaired
from financehub_shared.redis.schedule_keys import schedule_types
from financehub_shared.redis.schedule_record import ScheduleRecord
from financehub_shared.redis.text import decode

log = structlog.get_logger(__name__)

#: Interval in seconds at which every status is reviewed, in case a hint was lost.
SWEEP_SECONDS = 600.0
#: Maximum number of uids taken from Redis per call.
_POP = 1_000
#: Maximum number of records reviewed per step, in one round trip, which takes the event loop about 1 ms.
_REVIEWS_PER_STEP = 500
_REVIEW_BATCH = 25


class StatusPlanner:
    """Turns hints into entries in the queue of statuses to compare.

    Args:
        clock: Time.
        source: The resources in the API server.
        comparisons: Each status's last comparison.
        queue: Receives the uids of the statuses to compare, each with a time.
        client: The queue Redis.
    """

    def __init__(
        self, clock: Clock, source: ResourceSource, comparisons: Comparisons, queue: DelayQueue, client: "Redis"
    ) -> None:
        self._clock = clock
        self._source = source
        self._comparisons = comparisons
        self._queue = queue
        self._client = client
        self._reviews = ReviewQueue()
        self._last_sweep = 0.0
        #: Uids of schedules whose next due time or problem changed since the last step.
        self._next_run_changed: set[str] = set()

    def next_run_changed(self, uid: str) -> None:
        """Record that the next due time or the problem of a schedule changed."""
        self._next_run_changed.add(uid)

    def discard_hints(self) -> None:
        """Discard unprocessed hints from the engine and the watch."""
        self._next_run_changed.clear()
        self._source.changed.clear()

    def begin_term(self) -> None:
        """Start over, with a sweep over all resources."""
        self._reviews.clear()
        self._begin_sweep()

    async def step(self) -> None:
        """Collect hints and review the statuses that they refer to.

        Raises:
            redis.RedisError: Redis is unavailable. The remaining statuses are reviewed later.
        """
        await self._collect_hints()
        for _ in range(_REVIEWS_PER_STEP // _REVIEW_BATCH):
            if not await self._review(_REVIEW_BATCH):
                return
            await asyncio.sleep(0)

    def _begin_sweep(self) -> None:
        self._last_sweep = self._clock.monotonic()
        self._reviews.sweep(self._source.resources)
        self._comparisons.forget_deleted()

    async def _collect_hints(self) -> None:
        if self._clock.monotonic() >= self._last_sweep + SWEEP_SECONDS:
            self._begin_sweep()
        changed = self._next_run_changed | {
            uid for uid in self._source.changed if not self._comparisons.is_own_write(uid)
        }
        self.discard_hints()
        self._reviews.add(changed)
        self._reviews.add(await self._pop_changed_in_redis())
        # Added last and therefore reviewed first, because a user who has just applied a spec waits for the result.
        self._reviews.add(uid for uid in changed if self._comparisons.is_new_spec(uid))

    async def _pop_changed_in_redis(self) -> Iterable[str]:
        pop = partial(self._client.spop, keys.SCHEDULES_CHANGED, _POP)
        return [decode(uid) for uid in await arepaired(self._client, schedule_types, pop)]

    async def _review(self, limit: int) -> bool:
        """Read the records of some schedules and plan their writes. Return whether there were any schedules."""
        uids = self._reviews.take(limit)
        if not uids:
            return False
        try:
            records = await read_records(self._client, uids)
        except RedisError:
            self._reviews.put_back(uids)
            raise
        for uid in uids:
            self._plan(uid, records.get(uid))
        return True

    def _plan(self, uid: str, record: ScheduleRecord | None) -> None:
        """Decide when to compare one resource's status and, if it differs, to write it."""
        if (resource := self._source.resources.get(uid)) is None:
            return
        state = self._comparisons.active_state(resource)
        if resource.schedule is None:
            record = record or ScheduleRecord()
        elif state is None or record is None:
            # The spec has not reached the engine or Redis yet. When it does, the next run changes, which is another
            # hint.
            return
        now, last = self._clock.monotonic(), self._comparisons.get(uid)
        current = self._comparisons.current_status(resource)
        values = evaluate(resource, state, record)
        # A user who has just created a schedule waits for the outcome of its first run.
        is_first_outcome = last is not None and not last.last_run_id and record.outcome.last_run_id
        if is_first_outcome or must_be_written_now(values, resource.generation, current.conditions):
            self._queue.put_now(uid)
        elif last is None or last.progress != record.progress or last.observed.digest != resource.status.digest:
            self._queue.put(uid, self._comparisons.written_at(uid) + SPACING_SECONDS)
        else:
            # A run was enqueued and will probably end soon. A single write can then show both.
            self._queue.put(uid, now + SPACING_SECONDS)
