"""Posts Events to the API server in the background, within limits that do not depend on the number of occurrences."""

import math
import socket
from collections.abc import Callable, Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import Any

import structlog

from financehub_scheduler.core.listener import SchedulerListener
from financehub_scheduler.kubernetes.client.api import MERGE, Api, ApiError, ApiRequest, ApiUnreachableError
from financehub_scheduler.kubernetes.events.bodies import create_body, patch_body
from financehub_scheduler.kubernetes.events.correlator import EventCorrelator, EventRecord, Key
from financehub_scheduler.kubernetes.events.drafts import (
    EventDraft,
    from_backfill,
    from_enqueue_outcome,
    from_status,
)
from financehub_scheduler.kubernetes.events.token_bucket import TokenBucket
from financehub_scheduler.kubernetes.observed_status import ConditionDigest
from financehub_scheduler.kubernetes.watch.resource import WatchedResource
from financehub_scheduler.redis.enqueuer import EnqueueOutcome, RunSubmission
from financehub_shared.core.clock import Clock
from financehub_shared.core.outage import Outage

log = structlog.get_logger(__name__)

INTERVAL_SECONDS = 1.0
#: Request limit of this process: a burst, then a rate per second.
BURST, RATE = 50, 10.0
#: Pause for a namespace in which the process may not write Events, until an administrator has changed a role.
FORBIDDEN_SECONDS = 60.0
#: Pause while the API server does not respond.
OUTAGE_SECONDS = 10.0
#: Minimum time between two log lines about dropped or refused Events. There may be thousands of such Events.
LOG_INTERVAL_SECONDS = 60.0
_CONSEQUENCE = "Events are posted later; schedules keep running"
_VERBS = {"POST": "create", "PATCH": "patch"}


class EventRecorder(SchedulerListener):
    """Records Events immediately and posts them later.

    It listens to the engine, to the on-demand runs and to the status writer.

    Args:
        clock: Time.
        api: Connection to the cluster.
        resources: uid → resource.
        redact: Masks secrets.
    """

    def __init__(
        self, clock: Clock, api: Api, resources: Mapping[str, WatchedResource], redact: Callable[[str], str]
    ) -> None:
        self._clock = clock
        self._api = api
        self._resources = resources
        self._redact = redact
        self._host = socket.gethostname()
        self._correlator = EventCorrelator(clock, resources)
        self._bucket = TokenBucket(BURST, 1 / RATE, clock.monotonic())
        self._outage = Outage(
            "event_writes", clock.monotonic, log, pause_seconds=OUTAGE_SECONDS, consequence=_CONSEQUENCE
        )
        #: Namespace and HTTP method → monotonic time of the next attempt. Roles may differ between namespaces.
        self._forbidden_until: dict[tuple[str, str], float] = {}
        self._dropped_logged_at = self._refused_logged_at = -math.inf

    def run_answered(self, run: RunSubmission, outcome: EnqueueOutcome, at: float) -> None:  # noqa: ARG002
        self.record(run.schedule.uid, from_enqueue_outcome(run, outcome))

    def backfill_changed(self, uid: str, state: str, message: str) -> None:
        self.record(uid, [from_backfill(state, message)])

    def status_written(
        self, uid: str, status: Mapping[str, Any], before: Sequence[ConditionDigest], *, has_new_run: bool
    ) -> None:
        """Record the Events about a status that was written."""
        self.record(uid, from_status(status, before, has_new_run=has_new_run))

    def record(self, uid: str, drafts: Iterable[EventDraft]) -> None:
        """Record Events about a resource. Neither blocks nor fails."""
        for draft in drafts:
            self._correlator.add(uid, draft)

    async def step(self) -> None:
        """Post the Events that are ready, as far as the limits permit."""
        self._log_dropped()
        now = self._clock.monotonic()
        for key, record in self._correlator.due():
            method = "PATCH" if record.exists else "POST"
            forbidden = now < self._forbidden_until.get((record.resource.namespace, method), -math.inf)
            if forbidden or not self._correlator.has(key, record):
                continue
            if now < self._outage.retry_at or not self._bucket.take(now):
                return
            await self._send(method, key, record)

    def _log_dropped(self) -> None:
        now = self._clock.monotonic()
        if now >= self._dropped_logged_at + LOG_INTERVAL_SECONDS and (dropped := self._correlator.take_dropped()):
            log.warning("events_dropped", count=dropped, reason="more happened than the limits of Events permit")
            self._dropped_logged_at = now

    async def _send(self, method: str, key: Key, record: EventRecord) -> None:
        count, path = record.count, f"/api/v1/namespaces/{record.resource.namespace}/events"
        if method == "PATCH":
            body = patch_body(record, self._redact)
            request = ApiRequest(method, f"{path}/{record.name}", body, content_type=MERGE)
        else:
            request = ApiRequest(method, path, create_body(record, self._redact, self._host))
        try:
            await self._api.send(request)
        except ApiUnreachableError as error:
            self._on_outage(record, error)
        except ApiError as error:
            self._on_refusal(method, key, record, error)
        else:
            self._correlator.sent(record, count)
            self._on_success(record.resource.namespace, method)

    def _on_refusal(self, method: str, key: Key, record: EventRecord, error: ApiError) -> None:
        match error.status:
            case HTTPStatus.CONFLICT if method == "POST":
                # An earlier request created it, and the response was lost.
                record.exists = True
            case HTTPStatus.NOT_FOUND if method == "PATCH":
                # Events expire after an hour. If the namespace is gone too, creating the Event again fails with 404.
                record.exists = False
            case HTTPStatus.NOT_FOUND:
                self._correlator.forget(key, record)
            case HTTPStatus.FORBIDDEN if "being terminated" in error.message or not self._resource_exists(record):
                # A namespace's roles are deleted with it.
                self._correlator.forget(key, record)
            case HTTPStatus.FORBIDDEN:
                self._forbid(record.resource.namespace, method, error)
            case HTTPStatus.UNAUTHORIZED | HTTPStatus.TOO_MANY_REQUESTS:
                self._on_outage(record, error)
            case status if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
                self._on_outage(record, error)
            case _:
                self._log_refused(record, error)
                self._correlator.forget(key, record)

    def _resource_exists(self, record: EventRecord) -> bool:
        return record.resource.uid in self._resources

    def _on_success(self, namespace: str, method: str) -> None:
        ended = self._outage.succeeded(namespace=namespace)
        was_forbidden = self._forbidden_until.pop((namespace, method), None) is not None
        if was_forbidden and not ended:
            log.info("event_writes_available_again", namespace=namespace)

    def _forbid(self, namespace: str, method: str, error: ApiError) -> None:
        now = self._clock.monotonic()
        # An entry whose retry time has passed without a retry has no Events left: its namespace no longer exists, or
        # its records were dropped.
        still_forbidden = {
            key: until for key, until in self._forbidden_until.items() if now < until + FORBIDDEN_SECONDS
        }
        if not still_forbidden:
            remedy = f"apply deploy/operator/rbac.yaml: events need {_VERBS[method]}"
            log.error("event_write_failed", error=error.message, remedy=remedy, consequence=_CONSEQUENCE)
        self._forbidden_until = still_forbidden | {(namespace, method): now + FORBIDDEN_SECONDS}

    def _on_outage(self, record: EventRecord, error: ApiError | ApiUnreachableError) -> None:
        # The record moves behind the others, because the API server may fail only for this one.
        record.due_at = self._outage.failed(error)

    def _log_refused(self, record: EventRecord, error: ApiError) -> None:
        now = self._clock.monotonic()
        if now >= self._refused_logged_at + LOG_INTERVAL_SECONDS:
            log.error("event_refused", schedule=record.resource.full_name, reason=record.draft.reason, error=str(error))
            self._refused_logged_at = now
