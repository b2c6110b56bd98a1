"""Requests to the Kubernetes API, and their two kinds of failure: a refusal, or no response."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Protocol

import aiohttp

from financehub_scheduler.kubernetes.client.connection import Connection
from financehub_shared.core.errors import ConfigError, FinanceHubError
from financehub_shared.spec.scheduled_task import GROUP, PLURAL, VERSION

JSON = "application/json"
#: Content type of server-side apply. Its body may be JSON, which is valid YAML.
APPLY = "application/apply-patch+yaml"
MERGE = "application/merge-patch+json"
#: Objects without spec and status: a fifth of the bytes.
METADATA_ONLY = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"


class ApiError(FinanceHubError):
    """The API server refused a request.

    Args:
        status: HTTP status.
        reason: Kubernetes's reason (`NotFound`, `Conflict`, `Forbidden`, …).
        message: Kubernetes's explanation.
    """

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(f"{reason or status}: {message}")
        self.status = status
        self.reason = reason
        self.message = message


class ApiUnreachableError(FinanceHubError):
    """The API server did not respond. It is unknown whether a write was performed."""


@dataclass(frozen=True, slots=True)
class ApiRequest:
    """One request to the API server.

    Args:
        method: HTTP method.
        path: Absolute path on the API server.
        body: Request body, sent as JSON; None for no body.
        content_type: Media type of the body. It determines how the API server applies a PATCH.
        accept: Requested media type of the response.
        params: Query parameters.
    """

    method: str
    path: str
    body: Mapping[str, Any] | None = None
    content_type: str = JSON
    accept: str = JSON
    params: Mapping[str, str] | None = None


class Api(Protocol):
    """The part of the API client that the writers of status, Events and the Lease use."""

    @property
    def namespace(self) -> str: ...
    async def send(self, request: ApiRequest) -> Any: ...


def path_of(namespace: str | None, name: str | None = None) -> str:
    """Return the path of all ScheduledTasks, of those in a namespace, or of one of them."""
    scope = f"/namespaces/{namespace}" if namespace else ""
    return f"/apis/{GROUP}/{VERSION}{scope}/{PLURAL}" + (f"/{name}" if name else "")


class KubeApi:
    """Client of one API server.

    Args:
        connection: Its address and credentials.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._session: aiohttp.ClientSession | None = None
        self._login = asyncio.Lock()

    @property
    def namespace(self) -> str:
        """The scheduler's own namespace."""
        return self._connection.namespace

    async def send(self, request: ApiRequest) -> Any:
        """Send a request. If the credentials are refused, send it once more with new ones.

        Args:
            request: The request.

        Returns:
            The JSON body of the response.

        Raises:
            ApiError: The API server refused the request.
            ApiUnreachableError: No response arrived in time.
        """
        headers = {"Content-Type": request.content_type, "Accept": request.accept}
        url = self._connection.server + request.path
        try:
            # One timeout for both attempts, because callers rely on this limit.
            async with asyncio.timeout(self._connection.request_seconds):
                for last in (False, True):
                    session = self._open()
                    async with session.request(
                        request.method, url, json=request.body, headers=headers, params=request.params
                    ) as response:
                        if response.status != HTTPStatus.UNAUTHORIZED or last:
                            return await _answer(response)
                    await self._renew(session)
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            # ValueError: a proxy's response was not JSON.
            # The message of a TimeoutError is empty.
            kind = f"no answer within {self._connection.request_seconds:g} s" if isinstance(error, TimeoutError) else ""
            reason = kind or f"{type(error).__name__}: {error}"
            raise ApiUnreachableError(f"{request.method} {request.path}: {reason}") from error

    async def aclose(self) -> None:
        """Close the connections."""
        if self._session:
            await self._session.close()

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None or self._session.closed:
            self._session = self._connection.session()
        return self._session

    async def _renew(self, refused: aiohttp.ClientSession) -> None:
        async with self._login:
            # Another request may have renewed the session while this one waited for the lock.
            if self._session is refused:
                try:
                    self._connection = await Connection.load()
                except ConfigError as error:
                    # The file is being replaced.
                    raise ApiUnreachableError(f"credentials are refused, and there are no others: {error}") from error
                self._session = self._connection.session()
                await refused.close()


async def _answer(response: aiohttp.ClientResponse) -> Any:
    if response.status < HTTPStatus.BAD_REQUEST:
        return await response.json()
    try:
        status = await response.json()
        reason, message = str(status.get("reason", "")), str(status.get("message", ""))
    except (aiohttp.ContentTypeError, ValueError, AttributeError):
        # A proxy returned HTML.
        reason, message = "", (await response.text())[:200]
    raise ApiError(response.status, reason, message)
