"""Sends status to the API server and decides how long to wait after a failure."""

import math
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import structlog

from financehub_scheduler.kubernetes.client.api import (
    APPLY,
    Api,
    ApiError,
    ApiRequest,
    ApiUnreachableError,
    path_of,
)
from financehub_scheduler.kubernetes.observed_status import ObservedStatus, observe
from financehub_scheduler.kubernetes.status.server_errors import ServerErrors
from financehub_scheduler.kubernetes.watch.resource import WatchedResource
from financehub_shared.core.clock import Clock
from financehub_shared.core.errors import FinanceHubError
from financehub_shared.core.outage import Outage
from financehub_shared.spec.scheduled_task import GROUP, VERSION

log = structlog.get_logger(__name__)

#: Field manager of server-side apply. It owns all status fields and no others.
MANAGER = "financehub-scheduler"
#: Pause for a resource that no longer exists, until the watch delivers its deletion.
RETRY_SECONDS = 30.0
#: Pause for a namespace in which the process may not write status, until an administrator has changed a role.
FORBIDDEN_SECONDS = 60.0
#: The pause after the first refusal in a namespace: an API server that has just started refuses requests until it has
#: read the roles, which takes a second or two.
FIRST_FORBIDDEN_SECONDS = 5.0
_OUTAGE_SECONDS = (1.0, 30.0)
_CONSEQUENCE = "status is not written; schedules keep running"
#: If the API server refuses several statuses, they most likely have the same cause, so one line per minute is logged.
_REFUSED_LOG_SECONDS = 60.0


class StatusRefusedError(FinanceHubError):
    """The API server refused the contents of a status. It would refuse the same status again."""


class StatusWriteFailedError(FinanceHubError):
    """A status could not be written now.

    Args:
        retry_at: Monotonic time of the next attempt, in seconds.
    """

    def __init__(self, retry_at: float) -> None:
        super().__init__(f"status not written; next attempt at {retry_at:.1f} s of the monotonic clock")
        self.retry_at = retry_at


class StatusSender:
    """Writes status by server-side apply, which never changes other owners' fields.

    Args:
        api: Connection to the cluster.
        clock: Time.
    """

    def __init__(self, api: Api, clock: Clock) -> None:
        self._api = api
        self._clock = clock
        first, longest = _OUTAGE_SECONDS
        self._outage = Outage(
            "status_writes",
            clock.monotonic,
            log,
            pause_seconds=first,
            longest_pause_seconds=longest,
            consequence=_CONSEQUENCE,
        )
        #: Namespace → monotonic time of the next attempt.
        self._forbidden_until: dict[str, float] = {}
        self._refused_logged_at = -math.inf
        self._server_errors = ServerErrors(clock)

    def retry_after(self, namespace: str) -> float:
        """Return the monotonic time before which nothing may be sent to a namespace."""
        return max(self._outage.retry_at, self._forbidden_until.get(namespace, -math.inf))

    async def send(self, resource: WatchedResource, status: Mapping[str, Any]) -> ObservedStatus:
        """Write the status of a resource.

        Args:
            resource: The resource.
            status: JSON object.

        Returns:
            The status that the API server has now.

        Raises:
            StatusWriteFailedError: The status could not be written now.
            StatusRefusedError: The API server refuses this status.
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
            answer = await self._api.send(ApiRequest("PATCH", path, body, content_type=APPLY, params=params))
        except ApiUnreachableError as error:
            raise StatusWriteFailedError(self._outage.failed(error)) from error
        except ApiError as error:
            raise StatusWriteFailedError(self._retry_time(resource, error)) from error
        self._on_success(resource)
        return observe(answer.get("status"))

    def _retry_time(self, resource: WatchedResource, error: ApiError) -> float:
        """Return the monotonic time of the next attempt after a refusal, or raise StatusRefusedError."""
        match error.status:
            case HTTPStatus.NOT_FOUND | HTTPStatus.CONFLICT:
                # The resource was deleted, and possibly replaced by one with the same name. The watch will deliver
                # that.
                return self._clock.monotonic() + RETRY_SECONDS
            case HTTPStatus.FORBIDDEN:
                return self._forbid(resource.namespace, error)
            case HTTPStatus.UNAUTHORIZED | HTTPStatus.TOO_MANY_REQUESTS:
                return self._outage.failed(error)
            case HTTPStatus.INTERNAL_SERVER_ERROR:
                return self._on_server_error(resource, error)
            case status if status > HTTPStatus.INTERNAL_SERVER_ERROR:
                return self._outage.failed(error)
            case _:
                self._log_refused(resource, error)
                raise StatusRefusedError(str(error)) from error

    def _forbid(self, namespace: str, error: ApiError) -> float:
        now = self._clock.monotonic()
        # A namespace whose retry time passed without a retry no longer exists.
        still_forbidden = {
            name: until for name, until in self._forbidden_until.items() if now < until + FORBIDDEN_SECONDS
        }
        if not still_forbidden:
            remedy = "apply deploy/operator/rbac.yaml: scheduledtasks/status needs patch"
            log.error("status_write_failed", error=error.message, remedy=remedy, consequence=_CONSEQUENCE)
        pause = FORBIDDEN_SECONDS if namespace in still_forbidden else FIRST_FORBIDDEN_SECONDS
        self._forbidden_until = still_forbidden | {namespace: now + pause}
        return now + pause

    def _on_server_error(self, resource: WatchedResource, error: ApiError) -> float:
        is_known = self._server_errors.is_known(resource.uid)
        retry_at = self._server_errors.failed(resource.uid)
        if retry_at is None:
            return self._outage.failed(error)
        if not is_known:
            command = f"kubectl edit scheduledtask {resource.name} --namespace {resource.namespace}"
            log.error(
                "status_write_failed",
                schedule=resource.full_name,
                error=error.message,
                remedy=f"correct the fields that the error names: {command}, for the status with --subresource=status",
                consequence="the status of this schedule is not written; it keeps running",
            )
        return retry_at

    def _log_refused(self, resource: WatchedResource, error: ApiError) -> None:
        now = self._clock.monotonic()
        if now >= self._refused_logged_at + _REFUSED_LOG_SECONDS:
            remedy = "apply deploy/operator/crd.yaml of this version"
            log.error("status_refused", schedule=resource.full_name, error=str(error), remedy=remedy)
            self._refused_logged_at = now

    def _on_success(self, resource: WatchedResource) -> None:
        self._server_errors.succeeded(resource.uid)
        ended = self._outage.succeeded(namespace=resource.namespace)
        was_forbidden = self._forbidden_until.pop(resource.namespace, None) is not None
        if was_forbidden and not ended:
            log.info("status_writes_available_again", namespace=resource.namespace)
