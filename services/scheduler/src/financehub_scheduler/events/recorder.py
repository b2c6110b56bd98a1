"""Posts Events, few of them whatever happens, and in the background."""

import math
import secrets
import socket
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

import structlog

from financehub_scheduler.cluster.api import MERGE, Api, ApiError, ApiUnreachableError
from financehub_scheduler.errands import Errands
from financehub_scheduler.events.words import Happening, of_backfill, of_status, of_verdict
from financehub_scheduler.model import GROUP, VERSION
from financehub_scheduler.observer import Observer
from financehub_scheduler.sources.sighting import Resource
from financehub_scheduler.status.writer import StatusWriter
from financehub_shared.clock import Clock

log = structlog.get_logger(__name__)

INTERVAL_SECONDS = 1.0
COMPONENT = "financehub-scheduler"
#: The same of one resource within this time is one Event, counted up.
SAME_SECONDS = 600.0
#: How often the count of an Event is brought up to date.
UPDATE_SECONDS = 30.0
#: New Events of one resource: so many at once, then one in five minutes; as client-go limits them.
RESOURCE_BURST, RESOURCE_SECONDS = 10, 300.0
#: Requests of this process: so many at once, then so many a second.
BURST, RATE = 50, 10.0
#: Happenings remembered; beyond, the oldest are forgotten, told or not.
REMEMBERED = 2_000
#: Kubernetes takes no longer message.
_MESSAGE_BYTES = 1_024
_FORBIDDEN_SECONDS = 60.0
_AWAY_SECONDS = 10.0


@dataclass(slots=True)
class _Bucket:
    """Tokens that come back with time."""

    tokens: float
    at: float

    def take(self, now: float, size: int, seconds: float) -> bool:
        """Take one, if there is one; it is back after `seconds`."""
        self.tokens = min(size, self.tokens + (now - self.at) / seconds)
        self.at = now
        if self.tokens < 1:
            return False
        self.tokens -= 1
        return True


@dataclass(slots=True)
class _Event:
    """One Event.

    Args:
        resource: what it is about.
        happening: as it was noted last.
        first, last: when it was noted, Unix seconds.
        count: how often.
        noted: when it was noted last, monotonic seconds.
        due: when the API server is to be told, monotonic seconds; infinite: it knows.
        sent: when it was told last, monotonic seconds.
        name: of the object; empty: there is none yet.
    """

    resource: Resource
    happening: Happening
    first: float
    last: float
    count: int
    noted: float
    due: float
    sent: float = -math.inf
    name: str = ""


class Recorder:
    """Takes notes at once and posts them when it may.

    Args:
        clock: time.
        api: connection to the cluster.
        resources: uid → resource.
        redact: masks secrets.
    """

    def __init__(self, clock: Clock, api: Api, resources: Mapping[str, Resource], redact: Callable[[str], str]) -> None:
        self._clock = clock
        self._api = api
        self._resources = resources
        self._redact = redact
        self._host = socket.gethostname()
        self._events: OrderedDict[tuple[str, str], _Event] = OrderedDict()
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()
        self._overall = _Bucket(BURST, clock.monotonic())
        self._rest = -math.inf
        self._problem = ""
        self._dropped = 0

    def listen(self, observer: Observer, errands: Errands, writer: StatusWriter) -> None:
        """Note whatever they tell that is worth an Event."""
        observer.on_verdict = lambda run, verdict: self.note(run.schedule.uid, of_verdict(run, verdict))
        errands.on_backfill_ended = lambda uid, state, message: self.note(uid, [of_backfill(state, message)])
        writer.on_written = lambda uid, status, before, news: self.note(uid, of_status(status, before, fresh=news))

    def note(self, uid: str, happenings: Iterable[Happening]) -> None:
        """Note what happened to a resource; neither blocks nor fails."""
        if (resource := self._resources.get(uid)) is None:
            return
        now, wall = self._clock.monotonic(), self._clock.now()
        for each in happenings:
            key = (uid, each.reason)
            event = self._events.get(key)
            if event and now < event.noted + SAME_SECONDS:
                event.happening, event.last, event.noted, event.count = each, wall, now, event.count + 1
                if event.due == math.inf:
                    event.due = max(now, event.sent + UPDATE_SECONDS)
            elif self._bucket(uid, now).take(now, RESOURCE_BURST, RESOURCE_SECONDS):
                self._events[key] = _Event(resource, each, wall, wall, 1, now, now)
                self._events.move_to_end(key)
            else:
                self._dropped += 1
        while len(self._events) > REMEMBERED:
            _, oldest = self._events.popitem(last=False)
            self._dropped += oldest.due < math.inf

    async def step(self) -> None:
        """Post what is due, as far as the limits let it."""
        now = self._clock.monotonic()
        if self._dropped:
            log.warning("events_dropped", count=self._dropped, why="more happened than Events may be written")
            self._dropped = 0
        for key in [key for key, event in self._events.items() if event.due <= now]:
            if now < self._rest or not self._overall.take(now, BURST, 1 / RATE):
                return
            # forgotten while another one was on its way
            if event := self._events.get(key):
                await self._send(key, event)

    def _bucket(self, uid: str, now: float) -> _Bucket:
        bucket = self._buckets.setdefault(uid, _Bucket(RESOURCE_BURST, now))
        self._buckets.move_to_end(uid)
        while len(self._buckets) > REMEMBERED:
            self._buckets.popitem(last=False)
        return bucket

    async def _send(self, key: tuple[str, str], event: _Event) -> None:
        now, count = self._clock.monotonic(), event.count
        path = f"/api/v1/namespaces/{event.resource.namespace}/events"
        try:
            if event.name:
                await self._api.request("PATCH", f"{path}/{event.name}", body=self._news(event), content_type=MERGE)
            else:
                name = f"{event.resource.name[:230]}.{secrets.token_hex(8)}"
                await self._api.request("POST", path, body=self._whole(event, name))
                event.name = name
        except ApiUnreachableError as error:
            self._complain(error, now + _AWAY_SECONDS)
        except ApiError as error:
            self._understand(key, error, now)
        else:
            self._problem = ""
            # what was noted while it was on its way is told the next time
            event.sent, event.due = now, math.inf if event.count == count else now + UPDATE_SECONDS

    def _understand(self, key: tuple[str, str], error: ApiError, now: float) -> None:
        gone = error.status == HTTPStatus.NOT_FOUND or "being terminated" in error.message
        if error.status == HTTPStatus.FORBIDDEN and not gone:
            self._complain(error, now + _FORBIDDEN_SECONDS)
        elif error.status == HTTPStatus.TOO_MANY_REQUESTS or error.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            self._complain(error, now + _AWAY_SECONDS)
        else:
            # with its namespace, or expired; the next of its kind is a new one
            del self._events[key]
            if not gone:
                log.error("event_refused", error=str(error))

    def _complain(self, error: ApiError | ApiUnreachableError, rest: float) -> None:
        self._rest = rest
        kind = str(error.status) if isinstance(error, ApiError) else type(error).__name__
        if kind != self._problem:
            mend = "; apply deploy/operator/rbac.yaml: events need create and patch" if kind == "403" else ""
            log.warning("events_wait", error=f"{error}{mend}", consequence="Events wait; schedules go on")
        self._problem = kind

    def _news(self, event: _Event) -> dict[str, Any]:
        message = self._redact(event.happening.message).encode()[:_MESSAGE_BYTES].decode(errors="ignore")
        return {
            "type": event.happening.type,
            "message": message,
            "count": event.count,
            "lastTimestamp": _time(event.last),
        }

    def _whole(self, event: _Event, name: str) -> dict[str, Any]:
        resource = event.resource
        return {
            **self._news(event),
            "metadata": {"name": name, "namespace": resource.namespace},
            "involvedObject": {
                "apiVersion": f"{GROUP}/{VERSION}",
                "kind": "ScheduledTask",
                "namespace": resource.namespace,
                "name": resource.name,
                "uid": resource.uid,
            },
            "reason": event.happening.reason,
            "firstTimestamp": _time(event.first),
            "source": {"component": COMPONENT, "host": self._host},
            "reportingComponent": COMPONENT,
            "reportingInstance": self._host,
        }


def _time(now: float) -> str:
    return datetime.fromtimestamp(int(now), UTC).isoformat().replace("+00:00", "Z")
