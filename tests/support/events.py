"""Resources for Events, and a fake API server whose responses the test defines."""

from collections.abc import Callable
from typing import Any

from financehub_scheduler.kubernetes.client.api import ApiRequest
from financehub_scheduler.kubernetes.observed_status import NO_STATUS
from financehub_scheduler.kubernetes.watch.resource import WatchedResource


def watched_resource(uid: str = "1", namespace: str = "default", name: str = "demo") -> WatchedResource:
    """Return a resource as the watch delivers it."""
    return WatchedResource(uid, namespace, name, 1, "", None, 0.0, ("", ""), NO_STATUS)


class ScriptedApi:
    """In-memory API client, for responses that a test cannot provoke from a real API server.

    Args:
        answer: Function that returns the error to raise for a request, or None for success.
    """

    namespace = "default"

    def __init__(self, answer: Callable[[ApiRequest], Exception | None]) -> None:
        self._answer = answer
        self.requests: list[ApiRequest] = []

    async def send(self, request: ApiRequest) -> Any:
        """Record the request and return an empty object, or raise the error."""
        assert request.content_type == (
            "application/json" if request.method == "POST" else "application/merge-patch+json"
        )
        assert request.params is None
        self.requests.append(request)
        if error := self._answer(request):
            raise error
        return {}
