"""Requests to the Kubernetes API, and the two ways in which they fail."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from http import HTTPStatus
from typing import Any, Protocol

import aiohttp

from financehub_scheduler.api.scheduled_task import GROUP, PLURAL, VERSION
from financehub_scheduler.kubernetes.client.connection import REQUEST_SECONDS, Connection
from financehub_shared.core.errors import ConfigError, FinanceHubError

#: Server-side apply; its body may be JSON, which is YAML too.
APPLY = "application/apply-patch+yaml"
MERGE = "application/merge-patch+json"
#: Objects without spec and status: a fifth of the bytes.
_METADATA_ONLY = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
_PAGE = 500


class ApiError(FinanceHubError):
    """The API server refused a request.

    Args:
        status: HTTP status.
        reason: Kubernetes' word for it (`NotFound`, `Conflict`, `Forbidden`, …).
        message: its sentence.
    """

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(f"{reason or status}: {message}")
        self.status = status
        self.reason = reason
        self.message = message


class ApiUnreachableError(FinanceHubError):
    """No answer came from the API server; whether a write was carried out is not known."""


class Api(Protocol):
    """What the writers need of the API."""

    @property
    def namespace(self) -> str: ...
    async def request(
        self,
        method: str,
        path: str,
        *,
        body: Mapping[str, Any] | None = None,
        content_type: str = "application/json",
        params: Mapping[str, str] | None = None,
    ) -> Any: ...


def path_of(namespace: str | None, name: str | None = None) -> str:
    """The path of ScheduledTasks: all, those of a namespace, or one."""
    scope = f"/namespaces/{namespace}" if namespace else ""
    return f"/apis/{GROUP}/{VERSION}{scope}/{PLURAL}" + (f"/{name}" if name else "")


class KubeApi:
    """One way to ask the API server.

    Args:
        connection: where it is.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._session: aiohttp.ClientSession | None = None
        self._login = asyncio.Lock()

    @property
    def namespace(self) -> str:
        """The namespace that we live in."""
        return self._connection.namespace

    async def request(
        self,
        method: str,
        path: str,
        *,
        body: Mapping[str, Any] | None = None,
        content_type: str = "application/json",
        accept: str = "application/json",
        params: Mapping[str, str] | None = None,
    ) -> Any:
        """Ask once; with fresh credentials once more if those we have are refused.

        Args:
            method: of HTTP.
            path: absolute path on the API server.
            body: sent as JSON.
            content_type: of the body; decides what a PATCH means.
            accept: the form of the answer.
            params: of the query.

        Returns:
            The answer's JSON.

        Raises:
            ApiError: it was refused.
            ApiUnreachableError: no answer came in time.
        """
        headers = {"Content-Type": content_type, "Accept": accept}
        try:
            # both tries together: whoever asks relies on an end
            async with asyncio.timeout(REQUEST_SECONDS):
                for last in (False, True):
                    session = self._open()
                    async with session.request(
                        method, self._connection.server + path, json=body, headers=headers, params=params
                    ) as response:
                        if response.status != HTTPStatus.UNAUTHORIZED or last:
                            return await _answer(response)
                    await self._renew(session)
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            # the last: something in between answers with what is no JSON
            raise ApiUnreachableError(f"{method} {path}: {type(error).__name__}: {error}") from error

    async def metadata(self, namespace: str | None, page: int = _PAGE) -> AsyncIterator[Mapping[str, Any]]:
        """The metadata of all ScheduledTasks at this moment, page by page.

        Args:
            namespace: only those of one; None: of all.
            page: how many are asked for at once.

        Raises:
            ApiError: it was refused.
            ApiUnreachableError: no answer came in time.
        """
        params = {"limit": str(page)}
        while True:
            answer = await self.request("GET", path_of(namespace), accept=_METADATA_ONLY, params=params)
            # null rather than an empty list
            for item in answer["items"] or ():
                yield item["metadata"]
            if not (token := answer["metadata"].get("continue")):
                return
            params["continue"] = token

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
            # another request may have renewed it while we waited
            if self._session is refused:
                try:
                    self._connection = await Connection.load()
                except ConfigError as error:
                    # it is being replaced
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
        # a proxy in between speaks HTML
        reason, message = "", (await response.text())[:200]
    raise ApiError(response.status, reason, message)
