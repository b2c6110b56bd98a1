"""The source for schedules that are a cluster's ScheduledTask resources."""

import asyncio
import math
from collections import deque
from collections.abc import AsyncIterator, Sequence

import structlog

from financehub_scheduler.core.changes import Changes
from financehub_scheduler.kubernetes.client.api import KubeApi
from financehub_scheduler.kubernetes.watch.kopf_watch import WATCH_SECONDS
from financehub_scheduler.kubernetes.watch.namespace_watch import NamespaceWatch
from financehub_scheduler.kubernetes.watch.resource import (
    ListCompleted,
    ResourceApplied,
    ResourceDeleted,
    StatusChanged,
    WatchedResource,
    WatchEvent,
)
from financehub_shared.core.clock import Clock

log = structlog.get_logger(__name__)

#: Maximum number of watch events applied in one go, which takes the event loop about 5 ms.
_BATCH = 500
#: Seconds for which the first watch event waits for others.
_GATHER_SECONDS = 0.05
#: Interval in seconds at which the API server is queried for ScheduledTasks, in addition to the watch.
SERVED_CHECK_SECONDS = 30.0


class ClusterSource:
    """Schedules from ScheduledTask resources.

    Args:
        api: Connection to the cluster.
        clock: Time.
        namespaces: The watched namespaces, each by its own watch. Empty for all namespaces.
        watch_seconds: Seconds for which the server is requested to keep a watch open. With a shorter time, a watch that
            receives nothing is detected sooner.
    """

    def __init__(
        self, api: KubeApi, clock: Clock, namespaces: Sequence[str] = (), watch_seconds: int = WATCH_SECONDS
    ) -> None:
        self._watches = {
            namespace: NamespaceWatch(api, clock, namespace, self._put, watch_seconds)
            for namespace in namespaces or (None,)
        }
        self._events: deque[WatchEvent] = deque()
        self._arrived = asyncio.Event()
        #: Whether the event loop was already woken for the queued events. Without this flag, ten thousand events would
        #: wake it ten thousand times.
        self._woken = False
        self._loop: asyncio.AbstractEventLoop | None = None
        #: uid → resource. Only the event loop of `changes` changes it.
        self.resources: dict[str, WatchedResource] = {}
        #: uid → resource that is currently refused.
        self._refused: dict[str, WatchedResource] = {}
        #: Uids of resources that were added or changed since the status writer last cleared this set.
        self.changed: set[str] = set()
        #: Whether the consumer of `changes` is busy with some, and `observed_at` when it had taken all of them.
        self._is_delivering = False
        self._delivered_until = -math.inf

    @property
    def refused(self) -> dict[str, str]:
        """`namespace/name` → problem, for every resource that is currently refused."""
        return {resource.full_name: resource.problem for resource in self._refused.values()}

    async def changes(self) -> AsyncIterator[Changes]:
        """Yield all schedules of the cluster, then every change, forever. Refused schedules are included."""
        self._loop = asyncio.get_running_loop()
        for watch in self._watches.values():
            watch.start()
        try:
            while True:
                await self._arrived.wait()
                # Ten thousand events handled one by one would take as many round trips to Redis, and the threads would
                # compete for the interpreter as often.
                await asyncio.sleep(_GATHER_SECONDS)
                self._arrived.clear()
                self._woken = False
                self._is_delivering = True
                while self._events:
                    yield self._apply([self._events.popleft() for _ in range(min(_BATCH, len(self._events)))])
                    await asyncio.sleep(0)
                self._is_delivering = False
                self._delivered_until = self._watched_until()
        finally:
            for watch in self._watches.values():
                watch.stop()

    @property
    def observed_at(self) -> float:
        """Monotonic time before which every change has been delivered to the consumer of `changes`."""
        # A consumer that sends the changes on may take seconds. A later time must not overtake what it has not sent.
        return self._delivered_until if self._events or self._is_delivering else self._watched_until()

    def _watched_until(self) -> float:
        watches = self._watches.values()
        # A namespace that has never been listed has not delivered anything that could be outdated.
        return min(watch.observed_at for watch in [watch for watch in watches if watch.lists] or watches)

    @property
    def absent(self) -> bool:
        """Whether the API server does not serve ScheduledTasks in any watched namespace."""
        return all(watch.absent for watch in self._watches.values())

    async def check_served(self) -> None:
        """Check that the API server serves ScheduledTasks in every watched namespace."""
        for watch in self._watches.values():
            known = [uid for uid, found in self.resources.items() if watch.namespace in {None, found.namespace}]
            await watch.check_served()
            if watch.absent:
                # The definition was deleted, and its resources with it. The watch may have ended before it delivered
                # their deletions. Resources of a new definition have other uids.
                for uid in known:
                    self._put(ResourceDeleted(uid))

    def liveness(self) -> list[str]:
        """Return the reasons for restarting the process; empty if it is healthy."""
        return [problem for watch in self._watches.values() for problem in watch.liveness()]

    def startup_problems(self) -> list[str]:
        """Return the known reasons why a namespace has not been listed for the first time."""
        return [watch.problem for watch in self._watches.values() if not watch.applied_lists and watch.problem]

    def _apply(self, events: Sequence[WatchEvent]) -> Changes:
        upserts: dict[str, WatchedResource] = {}
        deactivated: dict[str, str] = {}
        removed: dict[str, None] = {}
        for event in events:
            match event:
                case StatusChanged(resource) if resource.uid in self.resources:
                    self._keep(resource)
                # The status of an unknown resource changed: ScheduledTasks were not served for a while.
                case ResourceApplied(resource) | StatusChanged(resource) if resource.problem:
                    self._keep(resource)
                    log.error("schedule_refused", schedule=resource.full_name, problem=resource.problem)
                    upserts.pop(resource.uid, None)
                    deactivated[resource.uid] = resource.problem
                case ResourceApplied(resource) | StatusChanged(resource):
                    self._keep(resource)
                    deactivated.pop(resource.uid, None)
                    upserts[resource.uid] = resource
                case ResourceDeleted(uid):
                    self._forget(uid)
                    upserts.pop(uid, None)
                    deactivated.pop(uid, None)
                    removed[uid] = None
                case ListCompleted(namespace):
                    self._watches[namespace].applied_lists += 1
        return Changes(
            upserts=[resource.schedule for resource in upserts.values() if resource.schedule],
            removed=list(removed),
            deactivated=deactivated,
            since={uid: resource.since for uid, resource in upserts.items()},
            # Uids are never reused, so everything that Redis knows about one still applies.
            keep_known_state=True,
            complete=all(watch.applied_lists for watch in self._watches.values()),
        )

    def _keep(self, resource: WatchedResource) -> None:
        self.resources[resource.uid] = resource
        self.changed.add(resource.uid)
        self._refused.pop(resource.uid, None)
        if resource.problem:
            self._refused[resource.uid] = resource

    def _forget(self, uid: str) -> None:
        self.changed.discard(uid)
        self.resources.pop(uid, None)
        self._refused.pop(uid, None)

    # in the watches' threads, and in the event loop -------------------------------------------------------
    def _put(self, event: WatchEvent) -> None:
        self._events.append(event)
        # One wake-up is enough for all subsequent events, because `changes` empties the queue.
        if not self._woken:
            self._woken = True
            self._wake()

    def _wake(self) -> None:
        assert self._loop is not None  # noqa: S101 — for mypy: it is set before the watches start
        self._loop.call_soon_threadsafe(self._arrived.set)
