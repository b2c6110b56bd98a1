"""A connection to an API server on which another client writes at the worst moment."""

from collections.abc import Callable
from typing import Any

from financehub_scheduler.kubernetes.client.api import ApiRequest, KubeApi


class WriteAfterRead:
    """A connection on which another client writes right after the first time that something is read.

    Args:
        api: The connection that sends the requests.
        write: What the other client does.
    """

    def __init__(self, api: KubeApi, write: Callable[[], Any]) -> None:
        self._api = api
        self._write: Callable[[], Any] | None = write

    @property
    def namespace(self) -> str:
        """The namespace of the connection."""
        return self._api.namespace

    async def send(self, request: ApiRequest) -> Any:
        """Send a request, and let the other client write after the first one that reads."""
        try:
            return await self._api.send(request)
        finally:
            if request.method == "GET" and self._write:
                write, self._write = self._write, None
                write()
