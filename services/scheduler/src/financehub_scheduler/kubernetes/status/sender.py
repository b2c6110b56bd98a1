"""Status on its way to the API server, and what may come of it."""

import math
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import structlog

from financehub_scheduler.api.scheduled_task import GROUP, VERSION
from financehub_scheduler.kubernetes.client.api import APPLY, Api, ApiError, ApiUnreachableError, path_of
from financehub_scheduler.kubernetes.observed_status import Seen, seen
from financehub_scheduler.kubernetes.watch.resource import Resource
from financehub_shared.core.clock import Clock

log = structlog.get_logger(__name__)

#: Owner of every field of status, and of nothing else.
MANAGER = "financehub-scheduler"
#: A resource that is gone, as the watch is about to say, is left alone for this long.
RETRY_SECONDS = 30.0
#: Somebody has to change a role first.
FORBIDDEN_SECONDS = 60.0
_AWAY_SECONDS = (1.0, 30.0)
_CONSEQUENCE = "status waits; schedules go on"
#: Statuses that the API server does not take have one cause, most likely: one line a minute tells of them.
_REFUSED_SECONDS = 60.0


class StatusRefusedError(Exception):
    """The API server does not take a status for what is in it."""


class NotWrittenError(Exception):
    """A status could not be written now; it may be tried again at `at`, monotonic seconds."""

    def __init__(self, at: float) -> None:
        super().__init__(at)
        self.at = at


class Sender:
    """Writes status by server-side apply: fields of others are never touched.

    Args:
        api: connection to the cluster.
        clock: time.
    """

    def __init__(self, api: Api, clock: Clock) -> None:
        self._api = api
        self._clock = clock
        self._failures = 0
        self._away_until = -math.inf
        #: Namespace → when it is tried again.
        self._forbidden: dict[str, float] = {}
        self._told_of_refused = -math.inf

    def rest(self, namespace: str) -> float:
        """Until when nothing is to be sent to a namespace; monotonic seconds."""
        return max(self._away_until, self._forbidden.get(namespace, -math.inf))

    async def send(self, resource: Resource, status: Mapping[str, Any]) -> Seen:
        """Make `status` the status of a resource.

        Args:
            resource: whose.
            status: as JSON has it.

        Returns:
            The status as the API server has it now.

        Raises:
            NotWrittenError: it did not take it now.
            StatusRefusedError: it will not take it.
        """
        body = {
            "apiVersion": f"{GROUP}/{VERSION}",
            "kind": "ScheduledTask",
            "metadata": {"name": resource.name, "namespace": resource.namespace},
            "status": status,
        }
        path = f"{path_of(resource.namespace, resource.name)}/status"
        params = {"fieldManager": MANAGER, "force": "true"}
        try:
            answer = await self._api.request("PATCH", path, body=body, content_type=APPLY, params=params)
        except ApiUnreachableError as error:
            raise NotWrittenError(self._away(error)) from error
        except ApiError as error:
            raise NotWrittenError(self._understand(resource, error)) from error
        self._written(resource)
        return seen(answer.get("status"))

    def _understand(self, resource: Resource, error: ApiError) -> float:
        now = self._clock.monotonic()
        match error.status:
            case HTTPStatus.NOT_FOUND | HTTPStatus.CONFLICT:
                # gone, perhaps with a namesake in its place; the watch will say so
                return now + RETRY_SECONDS
            case HTTPStatus.FORBIDDEN:
                # what was not tried again when it could be, nobody waits for: its namespace went
                lasting = {name: until for name, until in self._forbidden.items() if now < until + FORBIDDEN_SECONDS}
                if not lasting:
                    mend = "apply deploy/operator/rbac.yaml: scheduledtasks/status needs patch"
                    log.error("status_forbidden", error=error.message, mend=mend, consequence=_CONSEQUENCE)
                self._forbidden = lasting | {resource.namespace: now + FORBIDDEN_SECONDS}
                return now + FORBIDDEN_SECONDS
            case HTTPStatus.UNAUTHORIZED | HTTPStatus.TOO_MANY_REQUESTS:
                return self._away(error)
            case status if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
                return self._away(error)
            case _:
                if now >= self._told_of_refused + _REFUSED_SECONDS:
                    mend = "apply deploy/operator/crd.yaml of this version"
                    log.error("status_refused", schedule=resource.full_name, error=str(error), mend=mend)
                    self._told_of_refused = now
                raise StatusRefusedError(str(error)) from error

    def _away(self, error: ApiError | ApiUnreachableError) -> float:
        first, longest = _AWAY_SECONDS
        now = self._clock.monotonic()
        # those that were under way together fail together
        if now >= self._away_until:
            if not self._failures:
                log.warning("status_waits", error=str(error), consequence=_CONSEQUENCE)
            self._away_until = now + min(longest, first * 2**self._failures)
            self._failures = min(self._failures + 1, 10)
        return self._away_until

    def _written(self, resource: Resource) -> None:
        if self._failures or resource.namespace in self._forbidden:
            log.info("status_written_again", namespace=resource.namespace)
        self._forbidden.pop(resource.namespace, None)
        self._failures, self._away_until = 0, -math.inf
