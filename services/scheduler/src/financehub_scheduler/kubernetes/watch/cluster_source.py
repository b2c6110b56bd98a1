"""The source for schedules that are a cluster's ScheduledTask resources."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import structlog

from financehub_scheduler.core.changes import Changes
from financehub_scheduler.kubernetes.client.api import KubeApi
from financehub_scheduler.kubernetes.observed_status import observe
from financehub_scheduler.kubernetes.watch.kopf_watch import WATCH_SECONDS
from financehub_scheduler.kubernetes.watch.namespace_watch import NamespaceWatch
from financehub_scheduler.kubernetes.watch.resource import (
    ResourceApplied,
    ResourceDeleted,
    StatusChanged,
    WatchedResource,
    WatchEvent,
    parse_resource,
)
from financehub_shared.core.clock import Clock

log = structlog.get_logger(__name__)

#: Maximum number of watch events applied in one go, which takes the event loop about 5 ms.
_BATCH = 500
#: Seconds for which the first watch event waits for others.
_GATHER_SECONDS = 0.05
#: Interval in seconds at which the API server is queried for ScheduledTasks, in addition to the watch.
SERVED_CHECK_SECONDS = 30.0
_RETRY_SECONDS = 5.0


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
        self._watches = [
            NamespaceWatch(api, clock, namespace, self._on_event, self._wake, watch_seconds)
            for namespace in dict.fromkeys(namespaces or (None,))
        ]
        self._events: deque[WatchEvent] = deque()
        self._arrived = asyncio.Event()
        #: Whether the event loop was already woken for the queued events. Without this flag, ten thousand events would
        #: wake it ten thousand times.
        self._woken = False
        self._loop: asyncio.AbstractEventLoop | None = None
        #: Uids of resources that the API server has and the watch has listed, but whose events have not arrived yet.
        self._pending: dict[str, NamespaceWatch] = {}
        #: uid → newest state. Each watch's thread fills it for the resources that it watches.
        self._last_observed: dict[str, WatchedResource] = {}
        #: uid → resource. Only the event loop of `changes` changes it.
        self.resources: dict[str, WatchedResource] = {}
        #: uid → resource that is currently refused.
        self._refused: dict[str, WatchedResource] = {}
        #: Uids of resources that were added or changed since the status writer last cleared this set.
        self.changed: set[str] = set()

    @property
    def refused(self) -> dict[str, str]:
        """`namespace/name` → problem, for every resource that is currently refused."""
        return {resource.full_name: resource.problem for resource in self._refused.values()}

    async def changes(self) -> AsyncIterator[Changes]:
        """Yield all schedules of the cluster, then every change, forever. Refused schedules are included."""
        self._loop = asyncio.get_running_loop()
        for watch in self._watches:
            watch.start()
        try:
            while True:
                await self._arrived.wait()
                # Ten thousand events handled one by one would take as many round trips to Redis, and the threads would
                # compete for the interpreter as often.
                await asyncio.sleep(_GATHER_SECONDS)
                self._arrived.clear()
                self._woken = False
                lists_before, had_pending = {watch: watch.lists for watch in self._watches}, bool(self._pending)
                while self._events:
                    yield self._apply([self._events.popleft() for _ in range(min(_BATCH, len(self._events)))])
                    await asyncio.sleep(0)
                for watch, lists in lists_before.items():
                    if lists == watch.compared_lists:
                        continue
                    removed = await self._compare(watch)
                    if removed is None:
                        self._loop.call_later(_RETRY_SECONDS, self._arrived.set)
                    else:
                        watch.compared_lists = lists
                        yield Changes(removed=removed, keep_known_state=True, complete=self._complete)
                if had_pending and self._complete:
                    yield Changes(keep_known_state=True)
        finally:
            for watch in self._watches:
                watch.stop()

    @property
    def _complete(self) -> bool:
        """Whether every existing resource has been delivered."""
        return not self._pending and all(watch.compared_lists for watch in self._watches)

    @property
    def observed_at(self) -> float:
        """Monotonic time before which every change has been delivered."""
        # A namespace that has never been listed has not delivered anything that could be outdated.
        return min((watch.observed_at for watch in self._watches if watch.lists), default=self._watches[0].observed_at)

    async def check_served(self) -> None:
        """Check that the API server serves ScheduledTasks in every watched namespace."""
        for watch in self._watches:
            await watch.check_served()
            if watch.absent and self._known_uids(watch):
                # The watch may have ended before it delivered the last deletions.
                watch.compared_lists = -1
                self._arrived.set()

    def liveness(self) -> list[str]:
        """Return the reasons for restarting the process; empty if it is healthy."""
        return [problem for watch in self._watches for problem in watch.liveness()]

    def startup_problems(self) -> list[str]:
        """Return the known reasons why a namespace has not been listed for the first time."""
        return [watch.problem for watch in self._watches if not watch.compared_lists and watch.problem]

    def _apply(self, events: Sequence[WatchEvent]) -> Changes:
        upserts: dict[str, WatchedResource] = {}
        deactivated: dict[str, str] = {}
        removed: dict[str, None] = {}
        for event in events:
            uid = event.uid
            self._pending.pop(uid, None)
            match event:
                case ResourceApplied(resource) if resource.problem:
                    self._keep(resource)
                    log.error("schedule_refused", schedule=resource.full_name, problem=resource.problem)
                    upserts.pop(uid, None)
                    deactivated[uid] = resource.problem
                case ResourceApplied(resource):
                    self._keep(resource)
                    deactivated.pop(uid, None)
                    upserts[uid] = resource
                case StatusChanged(status=status):
                    if known := self.resources.get(uid):
                        self.resources[uid] = replace(known, status=status)
                        self.changed.add(uid)
                case ResourceDeleted():
                    self._forget(uid)
                    upserts.pop(uid, None)
                    deactivated.pop(uid, None)
                    removed[uid] = None
        return Changes(
            upserts=[resource.schedule for resource in upserts.values() if resource.schedule],
            removed=list(removed),
            deactivated=deactivated,
            since={uid: resource.since for uid, resource in upserts.items()},
            # Uids are never reused, so everything that Redis knows about one still applies.
            keep_known_state=True,
            complete=False,
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

    async def _compare(self, watch: NamespaceWatch) -> list[str] | None:
        """Forget the resources whose deletion was not delivered, which happens while no watch is open.

        New resources may still be missing here, because kopf delivers a list object by object in the background.

        Returns:
            The uids of deleted resources, or None if the API server cannot be queried now.
        """
        known = self._known_uids(watch)
        if (present := await watch.present()) is None:
            return None
        gone = [uid for uid in known if uid not in present]
        for uid in gone:
            self._forget(uid)
            # One atomic operation, because the watch's thread uses it too. A later event for this uid counts as new.
            self._last_observed.pop(uid, None)
        others = {uid: owner for uid, owner in self._pending.items() if owner is not watch}
        self._pending = others | dict.fromkeys(present.difference(self.resources), watch)
        return gone

    def _known_uids(self, watch: NamespaceWatch) -> list[str]:
        return [uid for uid, resource in self.resources.items() if watch.namespace in {None, resource.namespace}]

    # in the watches' threads ----------------------------------------------------------------------------
    def _on_event(self, kind: str | None, body: Mapping[str, Any]) -> None:
        uid = body["metadata"]["uid"]
        if kind == "DELETED" or "deletionTimestamp" in body["metadata"]:
            self._last_observed.pop(uid, None)
            self._put(ResourceDeleted(uid))
        elif (last := self._last_observed.get(uid)) and last.same_spec(body):
            self._put(StatusChanged(uid, observe(body.get("status"))))
        else:
            self._last_observed[uid] = resource = parse_resource(body)
            self._put(ResourceApplied(resource))

    def _put(self, event: WatchEvent) -> None:
        self._events.append(event)
        # One wake-up is enough for all subsequent events, because `changes` empties the queue.
        if not self._woken:
            self._woken = True
            self._wake()

    def _wake(self) -> None:
        assert self._loop is not None  # noqa: S101 — for mypy: it is set before the watches start
        self._loop.call_soon_threadsafe(self._arrived.set)
