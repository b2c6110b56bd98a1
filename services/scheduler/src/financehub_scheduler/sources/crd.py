"""ScheduledTask resources of a cluster as the source of schedules."""

import asyncio
import math
from collections import deque
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from http import HTTPStatus
from typing import Any

import structlog

from financehub_scheduler.cluster.api import ApiError, ApiUnreachableError, KubeApi
from financehub_scheduler.live import Changes
from financehub_scheduler.sources.sighting import Resource, read
from financehub_scheduler.sources.watch import WATCH_SECONDS, Watch
from financehub_scheduler.status.digest import Seen, seen
from financehub_shared.clock import Clock

log = structlog.get_logger(__name__)

#: Sightings taken over at once: some 5 ms of the loop.
_BATCH = 500
#: How long the first sighting waits for others.
_GATHER_SECONDS = 0.05
#: How often it is checked that the API server would show a watch something.
PROBE_SECONDS = 30.0
#: A watch that has not begun anew for so many times its length, while the API server answers, is deaf.
_DEAF = 5
#: So many probes in a row must find no ScheduledTasks served before they are taken for gone.
_ABSENT = 2
_RETRY_SECONDS = 5.0
#: A watch that begins shows what it was behind with, within this time.
_SHOWN_SECONDS = 2.0

#: A whole resource, the new status of one (uid, status), or a uid that is gone.
_Sighting = Resource | tuple[str, Seen] | str


class CrdSource:
    """Schedules from ScheduledTask resources.

    Args:
        api: connection to the cluster.
        clock: time.
        namespaces: which ones are watched; none: all.
        watch_seconds: how long the server is asked to keep one watch open; less notices sooner that one is deaf.
    """

    def __init__(
        self, api: KubeApi, clock: Clock, namespaces: Sequence[str] = (), watch_seconds: int = WATCH_SECONDS
    ) -> None:
        self._api = api
        self._clock = clock
        self._namespaces = namespaces
        self._watch = Watch(clock, namespaces, self._told, self._listed, watch_seconds)
        self._deaf_seconds = _DEAF * watch_seconds
        self._sightings: deque[_Sighting] = deque()
        self._arrived = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._lists = self._compared = 0
        #: uids that the API server has and the watch has listed, but whose sightings are still on their way.
        self._untold: set[str] = set()
        #: Since when every probe has been answered, monotonic seconds; None: the last one was not.
        self._answering: float | None = None
        self._absent = 0
        #: uid → newest state; filled by the watch's thread alone.
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
        self._watch.start()
        try:
            while True:
                await self._arrived.wait()
                # one by one, ten thousand would be as many trips to Redis, and as many fights over the interpreter
                await asyncio.sleep(_GATHER_SECONDS)
                self._arrived.clear()
                lists, owing = self._lists, bool(self._untold)
                while self._sightings:
                    yield self._take([self._sightings.popleft() for _ in range(min(_BATCH, len(self._sightings)))])
                    await asyncio.sleep(0)
                if lists != self._compared:
                    gone = await self._compare()
                    if gone is None:
                        self._loop.call_later(_RETRY_SECONDS, self._arrived.set)
                    else:
                        self._compared = lists
                        yield Changes(removed=gone, initial=True, complete=not self._untold)
                elif owing and not self._untold:
                    yield Changes(initial=True)
        finally:
            self._watch.stop()

    @property
    def looked(self) -> float:
        """Whatever changed before then has been shown, monotonic seconds."""
        began = self._watch.began
        shown = self._lists == self._compared and self._clock.monotonic() > began + _SHOWN_SECONDS
        return began if shown else -math.inf

    async def probe(self) -> None:
        """See whether the API server has what we watch; without that, silence says nothing about the watch."""
        namespace = self._namespaces[0] if self._namespaces else None
        try:
            async for _ in self._api.metadata(namespace, page=1):
                break
        except (ApiError, ApiUnreachableError) as error:
            log.debug("probe_failed", error=str(error))
            self._answering = None
            self._absent = self._absent + 1 if _is_not_served(error) else 0
            if self.resources and self._absent >= _ABSENT:
                # the last deletions may have gone with the watch
                self._compared = -1
                self._arrived.set()
        else:
            self._absent = 0
            if self._answering is None:
                self._answering = self._clock.monotonic()

    def live(self) -> list[str]:
        """Why the process should be restarted; empty: it should not."""
        if self._answering is None:
            return []
        # after an outage the watch needs a moment to notice
        age = self._clock.monotonic() - max(self._watch.began, self._answering)
        if age > self._deaf_seconds:
            return [f"the watch of ScheduledTasks has not begun anew for {age:.0f} s although the API server answers"]
        return []

    def _take(self, sightings: Sequence[_Sighting]) -> Changes:
        upserts: dict[str, Resource] = {}
        withdrawn: dict[str, str] = {}
        removed: dict[str, None] = {}
        for sighting in sightings:
            uid = _uid(sighting)
            self._untold.discard(uid)
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

    async def _compare(self) -> list[str] | None:
        """What is gone without a word, as happens while no watch is open; None: cannot be told now.

        What is there and not known yet is on its way to us: kopf hands a list over piece by piece, behind our back.
        """
        known = list(self.resources)
        present: set[str] = set()
        try:
            for namespace in self._namespaces or (None,):
                async for metadata in self._api.metadata(namespace):
                    if "deletionTimestamp" not in metadata:
                        present.add(metadata["uid"])
        except (ApiError, ApiUnreachableError) as error:
            if not (_is_not_served(error) and self._absent >= _ABSENT):
                # the watch meets the same, and has said so
                log.debug("resources_not_compared", error=str(error))
                return None
        gone = [uid for uid in known if uid not in present]
        for uid in gone:
            self._forget(uid)
            # atomic; whatever is shown of it again is new
            self._shown.pop(uid, None)
        self._untold = present.difference(self.resources)
        return gone

    # in the watch's thread ----------------------------------------------------------------------------
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

    def _listed(self) -> None:
        self._lists += 1
        self._wake()

    def _put(self, sighting: _Sighting) -> None:
        self._sightings.append(sighting)
        # the first tells of all that follow: `changes` takes until none is left
        if len(self._sightings) == 1:
            self._wake()

    def _wake(self) -> None:
        assert self._loop is not None  # noqa: S101 — for mypy: it is set before the watch starts
        self._loop.call_soon_threadsafe(self._arrived.set)


def _is_not_served(error: ApiError | ApiUnreachableError) -> bool:
    """Whether the API server knows no ScheduledTasks; a namespace that it does not know is empty to it."""
    return isinstance(error, ApiError) and error.status == HTTPStatus.NOT_FOUND


def _uid(sighting: _Sighting) -> str:
    match sighting:
        case Resource(uid=uid) | (uid, _):
            return uid
        case _:
            return sighting
