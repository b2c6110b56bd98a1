"""Keeps the status of every ScheduledTask up to date with few writes, and never writes an unchanged status.

Only the leader writes status. Each step has two stages:

1. `StatusPlanner` collects hints about possibly outdated statuses and puts their uids into a queue. A status with a
   condition transition is written immediately, others at most every 30 s.
2. `StatusWriter` takes uids from the queue when their time has come, builds each status from Redis and the engine,
   compares it with the status in the API server and sends it if they differ.
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from financehub_scheduler.core.listener import SchedulerListener
from financehub_scheduler.core.state import ScheduleState
from financehub_scheduler.kubernetes.lease import Lease
from financehub_scheduler.kubernetes.observed_status import ConditionDigest, ObservedStatus, digest
from financehub_scheduler.kubernetes.status.build import build_status, to_json
from financehub_scheduler.kubernetes.status.comparisons import Comparison, Comparisons, ResourceSource
from financehub_scheduler.kubernetes.status.completeness import must_wait
from financehub_scheduler.kubernetes.status.delay_queue import DelayQueue
from financehub_scheduler.kubernetes.status.sender import StatusRefusedError, StatusSender, StatusWriteFailedError
from financehub_scheduler.kubernetes.status.snapshot import ScheduleSnapshot, read_snapshots
from financehub_scheduler.kubernetes.status.status_planner import StatusPlanner
from financehub_scheduler.kubernetes.watch.resource import WatchedResource
from financehub_shared.core.clock import Clock

log = structlog.get_logger(__name__)

INTERVAL_SECONDS = 0.25
#: Maximum number of statuses compared, and written if they differ, per step. A step takes half a second, so about 130
#: can be written per second. Fifty runs per second, such as those of 10,000 schedules every 200 s, need fifty of them,
#: and the rest is for statuses that a fault has delayed.
WRITES = 100
#: Seconds until a status whose last run is not known completely is compared again.
_COMPLETION_SECONDS = 1.0
#: Maximum number of concurrent status writes.
_CONCURRENT_WRITES = 8


class StatusListener(Protocol):
    """Receives every status that was written."""

    def status_written(
        self, uid: str, status: Mapping[str, Any], before: Sequence[ConditionDigest], *, has_new_run: bool
    ) -> None:
        """A status was written.

        Args:
            uid: Uid of the resource.
            status: JSON object.
            before: The previous conditions.
            has_new_run: Whether the run that ended last is not in the previous status.
        """


class StatusWriter(SchedulerListener):
    """Writes status while this process is the leader.

    Args:
        clock: Time.
        lease: The leader election.
        sender: Sends status to the API server.
        source: The resources in the API server.
        states: uid → state of each active schedule.
        client: The queue Redis.
        listener: Receives every status that was written.
    """

    def __init__(
        self,
        clock: Clock,
        lease: Lease,
        sender: StatusSender,
        source: ResourceSource,
        states: Mapping[str, ScheduleState],
        client: "Redis",
        listener: StatusListener,
    ) -> None:
        self._clock = clock
        self._lease = lease
        self._sender = sender
        self._source = source
        self._client = client
        self._listener = listener
        self._term = 0
        self._queue = DelayQueue()
        self._comparisons = Comparisons(clock, source, states)
        self._planner = StatusPlanner(clock, source, self._comparisons, self._queue, client)
        #: uid → monotonic time since which its write waits for the rest of what the last run changes. It is queued.
        self._waits_since: dict[str, float] = {}

    def next_run_changed(self, uid: str) -> None:
        self._planner.next_run_changed(uid)

    async def step(self) -> None:
        """Plan and write statuses.

        Raises:
            redis.RedisError: Redis is unavailable. The remaining work is done later.
        """
        if not self._lease.is_leader:
            self._planner.discard_hints()
            return
        if self._lease.term != self._term:
            self._begin_term()
        await self._planner.step()
        await self._write_due()

    def _begin_term(self) -> None:
        self._term = self._lease.term
        self._queue.clear()
        self._waits_since.clear()
        self._comparisons.begin_term()
        self._planner.begin_term()

    async def _write_due(self) -> None:
        now = self._clock.monotonic()
        for _ in range(-(-WRITES // _CONCURRENT_WRITES)):
            uids = self._queue.pop(now, _CONCURRENT_WRITES)
            if not uids:
                return
            try:
                await self._update_all(uids)
            except RedisError:
                for uid in uids:
                    self._queue.put(uid, now)
                raise

    async def _update_all(self, uids: Sequence[str]) -> None:
        resources = [resource for uid in uids if (resource := self._source.resources.get(uid))]
        for uid in uids:
            if uid not in self._source.resources:
                self._waits_since.pop(uid, None)
        backfills = {resource.uid: _backfill_id(resource) for resource in resources}
        snapshots = await read_snapshots(self._client, backfills)
        updates = []
        for resource in resources:
            updates.append(asyncio.create_task(self._update(resource, snapshots.get(resource.uid))))
            # Each update begins in its own iteration of the event loop, so that it blocks the loop for half a
            # millisecond instead of eight times as long.
            await asyncio.sleep(0)
        await asyncio.gather(*updates)

    async def _update(self, resource: WatchedResource, snapshot: ScheduleSnapshot | None) -> None:
        """Compare one resource's status, and write it if it differs."""
        uid, now = resource.uid, self._clock.monotonic()
        waits_since = self._waits_since.pop(uid, now)
        state = self._comparisons.active_state(resource)
        if resource.schedule is None:
            snapshot = snapshot or ScheduleSnapshot()
        elif state is None or snapshot is None:
            return
        observed = self._comparisons.current_status(resource)
        if must_wait(resource, state, snapshot, observed.conditions, self._clock.now(), now - waits_since):
            self._waits_since[uid] = waits_since
            self._queue.put(uid, now + _COMPLETION_SECONDS)
            return
        status = to_json(build_status(resource, state, snapshot, observed, self._clock.now()))
        desired, written_at = digest(status), self._comparisons.written_at(uid)
        if not self._is_up_to_date(uid, desired, observed):
            written = await self._write(resource, status, observed, has_new_run=self._has_new_run(uid, snapshot))
            if written is None:
                return
            observed, written_at = written, now
        record = snapshot.record
        comparison = Comparison(
            written_at,
            desired,
            observed,
            record.progress,
            resource.generation,
            resource.annotations,
            record.outcome.last_run_id,
        )
        self._comparisons.put(uid, comparison)

    async def _write(
        self, resource: WatchedResource, status: Mapping[str, Any], observed: ObservedStatus, *, has_new_run: bool
    ) -> ObservedStatus | None:
        """Send a status.

        Returns:
            The status in the API server afterward, or None if the status must be written later.
        """
        uid = resource.uid
        if not self._lease.is_leader:
            return None
        if (retry_at := self._sender.retry_after(resource.namespace)) > self._clock.monotonic():
            self._queue.put(uid, retry_at)
            return None
        try:
            written = await self._sender.send(resource, status)
        except StatusWriteFailedError as error:
            self._queue.put(uid, error.retry_at)
            return None
        except StatusRefusedError:
            # Recorded like a successful write, because the same status would be refused again.
            return observed
        self._listener.status_written(uid, status, observed.conditions, has_new_run=has_new_run)
        return written

    def _is_up_to_date(self, uid: str, desired: bytes, observed: ObservedStatus) -> bool:
        """Whether a write would not change anything.

        Our writes keep fields that others added to a status. Such a status never equals the desired one, so it counts
        as up to date if neither of them has changed since the last comparison.
        """
        last = self._comparisons.get(uid)
        if desired == observed.digest:
            return True
        return last is not None and desired == last.desired and observed.digest == last.observed.digest

    def _has_new_run(self, uid: str, snapshot: ScheduleSnapshot) -> bool:
        """Whether the last run ended after the last comparison or, before the first comparison, in this term."""
        last, outcome = self._comparisons.get(uid), snapshot.record.outcome
        if last is not None:
            return outcome.last_run_id != last.last_run_id
        return (outcome.last_run_at or 0) >= self._comparisons.term_began_unix


def _backfill_id(resource: WatchedResource) -> str:
    """Return the id of the backfill that the annotation requests; empty if there is none."""
    backfill = resource.schedule.backfill if resource.schedule else None
    return backfill.id if backfill else ""
