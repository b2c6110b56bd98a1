"""Posts Events, few of them whatever happens, and in the background."""

import math
import socket
from collections.abc import Callable, Iterable, Mapping
from http import HTTPStatus

import structlog

from financehub_scheduler.core.observer import Observer
from financehub_scheduler.core.on_demand import Errands
from financehub_scheduler.kubernetes.client.api import MERGE, Api, ApiError, ApiUnreachableError
from financehub_scheduler.kubernetes.events.bodies import news, whole
from financehub_scheduler.kubernetes.events.correlator import Key, Note, Notes
from financehub_scheduler.kubernetes.events.drafts import Happening, of_backfill, of_status, of_verdict
from financehub_scheduler.kubernetes.events.token_bucket import Bucket
from financehub_scheduler.kubernetes.status.writer import StatusWriter
from financehub_scheduler.kubernetes.watch.resource import Resource
from financehub_shared.core.clock import Clock

log = structlog.get_logger(__name__)

INTERVAL_SECONDS = 1.0
#: Requests of this process: so many at once, then so many a second.
BURST, RATE = 50, 10.0
#: Somebody has to change a role first.
FORBIDDEN_SECONDS = 60.0
AWAY_SECONDS = 10.0
#: How often the log says that Events were dropped or refused: where one is, thousands may be.
COMPLAIN_SECONDS = 60.0
_CONSEQUENCE = "Events wait; schedules go on"
_VERBS = {"POST": "create", "PATCH": "patch"}


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
        self._notes = Notes(clock, resources)
        self._bucket = Bucket(BURST, 1 / RATE, clock.monotonic())
        self._away_until = -math.inf
        #: Namespace and method → when it is tried again; in one namespace roles may be missing that others have.
        self._forbidden: dict[tuple[str, str], float] = {}
        self._told_of_dropped = self._told_of_refused = -math.inf

    def listen(self, observer: Observer, errands: Errands, writer: StatusWriter) -> None:
        """Note whatever they tell that is worth an Event."""
        observer.on_verdict = lambda run, verdict: self.note(run.schedule.uid, of_verdict(run, verdict))
        errands.on_backfill = lambda uid, state, message: self.note(uid, [of_backfill(state, message)])
        writer.on_written = lambda uid, status, before, fresh: self.note(uid, of_status(status, before, fresh=fresh))

    def note(self, uid: str, happenings: Iterable[Happening]) -> None:
        """Note what happened to a resource; neither blocks nor fails."""
        for each in happenings:
            self._notes.add(uid, each)

    async def step(self) -> None:
        """Post what is due, as far as the limits let it."""
        now = self._clock.monotonic()
        if now >= self._told_of_dropped + COMPLAIN_SECONDS and (dropped := self._notes.take_dropped()):
            log.warning("events_dropped", count=dropped, why="more happened than Events may be written")
            self._told_of_dropped = now
        for key, note in self._notes.due():
            method = "PATCH" if note.posted else "POST"
            forbidden = now < self._forbidden.get((note.resource.namespace, method), -math.inf)
            if forbidden or not self._notes.holds(key, note):
                continue
            if now < self._away_until or not self._bucket.take(now):
                return
            await self._send(method, key, note)

    async def _send(self, method: str, key: Key, note: Note) -> None:
        count, path = note.count, f"/api/v1/namespaces/{note.resource.namespace}/events"
        try:
            if method == "PATCH":
                body = news(note, self._redact)
                await self._api.request(method, f"{path}/{note.name}", body=body, content_type=MERGE)
            else:
                await self._api.request(method, path, body=whole(note, self._redact, self._host))
        except ApiUnreachableError as error:
            self._away(note, error)
        except ApiError as error:
            self._understand(method, key, note, error)
        else:
            self._notes.told(note, count)
            self._answered(note.resource.namespace, method)

    def _understand(self, method: str, key: Key, note: Note, error: ApiError) -> None:
        match error.status:
            case HTTPStatus.CONFLICT if method == "POST":
                # created by a request whose answer was lost
                note.posted = True
            case HTTPStatus.NOT_FOUND if method == "PATCH":
                # Events last an hour; if its namespace is gone too, creating it anew says so
                note.posted = False
            case HTTPStatus.NOT_FOUND:
                self._notes.forget(key, note)
            case HTTPStatus.FORBIDDEN if "being terminated" in error.message or not self._exists(note):
                # roles go with their namespace
                self._notes.forget(key, note)
            case HTTPStatus.FORBIDDEN:
                self._forbid(note.resource.namespace, method, error)
            case HTTPStatus.UNAUTHORIZED | HTTPStatus.TOO_MANY_REQUESTS:
                self._away(note, error)
            case status if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
                self._away(note, error)
            case _:
                self._refused(note, error)
                self._notes.forget(key, note)

    def _exists(self, note: Note) -> bool:
        return note.resource.uid in self._resources

    def _answered(self, namespace: str, method: str) -> None:
        forbidden = self._forbidden.pop((namespace, method), None)
        if forbidden is not None or self._away_until > -math.inf:
            log.info("events_posted_again", namespace=namespace)
        self._away_until = -math.inf

    def _forbid(self, namespace: str, method: str, error: ApiError) -> None:
        now = self._clock.monotonic()
        # what was not tried again when it could be, nobody waits for: its namespace went, or its notes are forgotten
        lasting = {key: until for key, until in self._forbidden.items() if now < until + FORBIDDEN_SECONDS}
        if not lasting:
            mend = f"apply deploy/operator/rbac.yaml: events need {_VERBS[method]}"
            log.error("events_forbidden", error=error.message, mend=mend, consequence=_CONSEQUENCE)
        self._forbidden = lasting | {(namespace, method): now + FORBIDDEN_SECONDS}

    def _away(self, note: Note, error: ApiError | ApiUnreachableError) -> None:
        if self._away_until == -math.inf:
            log.warning("events_wait", error=str(error), consequence=_CONSEQUENCE)
        # behind the others: a server may fail for this one alone
        self._away_until = note.due = self._clock.monotonic() + AWAY_SECONDS

    def _refused(self, note: Note, error: ApiError) -> None:
        now = self._clock.monotonic()
        if now >= self._told_of_refused + COMPLAIN_SECONDS:
            log.error("event_refused", schedule=note.resource.full_name, reason=note.happening.reason, error=str(error))
            self._told_of_refused = now
