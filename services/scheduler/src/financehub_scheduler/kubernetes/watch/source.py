"""ScheduledTask resources of a cluster as the source of schedules."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import structlog

from financehub_scheduler.core.state import Changes
from financehub_scheduler.kubernetes.client.api import KubeApi
from financehub_scheduler.kubernetes.observed_status import Seen, seen
from financehub_scheduler.kubernetes.watch.namespace_watch import Scope
from financehub_scheduler.kubernetes.watch.resource import Resource, read
from financehub_scheduler.kubernetes.watch.watch import WATCH_SECONDS
from financehub_shared.core.clock import Clock

log = structlog.get_logger(__name__)

#: Sightings taken over at once: some 5 ms of the loop.
_BATCH = 500
#: How long the first sighting waits for others.
_GATHER_SECONDS = 0.05
#: How often it is checked that the API server would show a watch something.
PROBE_SECONDS = 30.0
_RETRY_SECONDS = 5.0

#: A whole resource, the new status of one (uid, status), or a uid that is gone.
_Sighting = Resource | tuple[str, Seen] | str


class CrdSource:
    """Schedules from ScheduledTask resources.

    Args:
        api: connection to the cluster.
        clock: time.
        namespaces: which ones are watched, each on its own; none: all.
        watch_seconds: how long the server is asked to keep one watch open; less notices sooner that one is deaf.
    """

    def __init__(
        self, api: KubeApi, clock: Clock, namespaces: Sequence[str] = (), watch_seconds: int = WATCH_SECONDS
    ) -> None:
        self._scopes = [
            Scope(api, clock, namespace, self._told, self._wake, watch_seconds)
            for namespace in dict.fromkeys(namespaces or (None,))
        ]
        self._sightings: deque[_Sighting] = deque()
        self._arrived = asyncio.Event()
        #: Whether the loop will take whatever arrives; without it ten thousand sightings would wake it as often.
        self._woken = False
        self._loop: asyncio.AbstractEventLoop | None = None
        #: uids that the API server has and the watch has listed, but whose sightings are still on their way.
        self._untold: dict[str, Scope] = {}
        #: uid → newest state; filled by the threads of the watches alone, each with what it watches.
        self._shown: dict[str, Resource] = {}
        #: uid → resource; changed by the loop of `changes` alone.
        self.resources: dict[str, Resource] = {}
        #: uid → resource, of those that are refused at present.
        self._refused: dict[str, Resource] = {}
        #: uids whose resource was added or changed since somebody took them out.
        self.touched: set[str] = set()

    @property
    def refused(self) -> dict[str, str]:
        """`namespace/name` → what is wrong, of everything that is refused at present."""
        return {each.full_name: each.problem for each in self._refused.values()}

    async def changes(self) -> AsyncIterator[Changes]:
        """The cluster's schedules, then every change, of what is refused too, for ever."""
        self._loop = asyncio.get_running_loop()
        for scope in self._scopes:
            scope.watch.start()
        try:
            while True:
                await self._arrived.wait()
                # one by one, ten thousand would be as many trips to Redis, and as many fights over the interpreter
                await asyncio.sleep(_GATHER_SECONDS)
                self._arrived.clear()
                self._woken = False
                listed, owing = {scope: scope.lists for scope in self._scopes}, bool(self._untold)
                while self._sightings:
                    yield self._take([self._sightings.popleft() for _ in range(min(_BATCH, len(self._sightings)))])
                    await asyncio.sleep(0)
                for scope, lists in listed.items():
                    if lists == scope.compared:
                        continue
                    gone = await self._compare(scope)
                    if gone is None:
                        self._loop.call_later(_RETRY_SECONDS, self._arrived.set)
                    else:
                        scope.compared = lists
                        yield Changes(removed=gone, initial=True, complete=self._complete)
                if owing and self._complete:
                    yield Changes(initial=True)
        finally:
            for scope in self._scopes:
                scope.watch.stop()

    @property
    def _complete(self) -> bool:
        """Whether everything that there is has been shown."""
        return not self._untold and all(scope.compared for scope in self._scopes)

    @property
    def looked(self) -> float:
        """Whatever changed before then has been shown, monotonic seconds."""
        # what was never listed has shown nothing that could be out of date
        return min((scope.looked for scope in self._scopes if scope.lists), default=self._scopes[0].looked)

    async def probe(self) -> None:
        """See whether the API server has what we watch."""
        for scope in self._scopes:
            await scope.probe()
            if scope.absent and self._known(scope):
                # the last deletions may have gone with the watch
                scope.compared = -1
                self._arrived.set()

    def live(self) -> list[str]:
        """Why the process should be restarted; empty: it should not."""
        return [problem for scope in self._scopes for problem in scope.live()]

    def starting(self) -> list[str]:
        """What keeps a namespace from being shown for the first time, as far as it is known."""
        return [scope.watch.problem for scope in self._scopes if not scope.compared and scope.watch.problem]

    def _take(self, sightings: Sequence[_Sighting]) -> Changes:
        upserts: dict[str, Resource] = {}
        withdrawn: dict[str, str] = {}
        removed: dict[str, None] = {}
        for sighting in sightings:
            uid = _uid(sighting)
            self._untold.pop(uid, None)
            match sighting:
                case Resource(problem=""):
                    self._keep(sighting)
                    withdrawn.pop(uid, None)
                    upserts[uid] = sighting
                case Resource(problem=problem):
                    self._keep(sighting)
                    log.error("schedule_refused", schedule=sighting.full_name, problem=problem)
                    upserts.pop(uid, None)
                    withdrawn[uid] = problem
                case (_, status):
                    if known := self.resources.get(uid):
                        self.resources[uid] = replace(known, status=status)
                        self.touched.add(uid)
                case _:
                    self._forget(uid)
                    upserts.pop(uid, None)
                    withdrawn.pop(uid, None)
                    removed[uid] = None
        return Changes(
            upserts=[each.schedule for each in upserts.values() if each.schedule],
            removed=list(removed),
            withdrawn=withdrawn,
            since={uid: each.since for uid, each in upserts.items()},
            # a uid is never used twice, so whatever Redis knows of one still holds
            initial=True,
            complete=False,
        )

    def _keep(self, resource: Resource) -> None:
        self.resources[resource.uid] = resource
        self.touched.add(resource.uid)
        self._refused.pop(resource.uid, None)
        if resource.problem:
            self._refused[resource.uid] = resource

    def _forget(self, uid: str) -> None:
        self.touched.discard(uid)
        self.resources.pop(uid, None)
        self._refused.pop(uid, None)

    async def _compare(self, scope: Scope) -> list[str] | None:
        """What is gone without a word, as happens while no watch is open; None: cannot be told now.

        What is there and not known yet is on its way to us: kopf hands a list over piece by piece, behind our back.
        """
        known = self._known(scope)
        if (present := await scope.present()) is None:
            return None
        gone = [uid for uid in known if uid not in present]
        for uid in gone:
            self._forget(uid)
            # atomic; whatever is shown of it again is new
            self._shown.pop(uid, None)
        others = {uid: each for uid, each in self._untold.items() if each is not scope}
        self._untold = others | dict.fromkeys(present.difference(self.resources), scope)
        return gone

    def _known(self, scope: Scope) -> list[str]:
        return [uid for uid, each in self.resources.items() if scope.namespace in {None, each.namespace}]

    # in the watches' threads ----------------------------------------------------------------------------
    def _told(self, kind: str | None, body: Mapping[str, Any]) -> None:
        uid = body["metadata"]["uid"]
        if kind == "DELETED" or "deletionTimestamp" in body["metadata"]:
            self._shown.pop(uid, None)
            self._put(uid)
        elif (shown := self._shown.get(uid)) and shown.same_wish(body):
            self._put((uid, seen(body.get("status"))))
        else:
            self._shown[uid] = resource = read(body)
            self._put(resource)

    def _put(self, sighting: _Sighting) -> None:
        self._sightings.append(sighting)
        # the first tells of all that follow: `changes` takes until none is left
        if not self._woken:
            self._woken = True
            self._wake()

    def _wake(self) -> None:
        assert self._loop is not None  # noqa: S101 — for mypy: it is set before the watches start
        self._loop.call_soon_threadsafe(self._arrived.set)


def _uid(sighting: _Sighting) -> str:
    match sighting:
        case Resource(uid=uid) | (uid, _):
            return uid
        case _:
            return sighting
