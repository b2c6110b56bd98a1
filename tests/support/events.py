"""What Events are about, and an API server that answers as a test says."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from financehub_scheduler.kubernetes.observed_status import seen
from financehub_scheduler.kubernetes.watch.resource import Resource


def sighted(uid: str = "1", namespace: str = "default", name: str = "demo") -> Resource:
    """A resource as the watch knows it."""
    return Resource(uid, namespace, name, 1, "", None, 0.0, ("", ""), seen(None))


class Asked(NamedTuple):
    """One request."""

    method: str
    path: str
    body: Mapping[str, Any]


class ScriptedApi:
    """The in-memory peer of the connection, for answers that no test can have a real API server give.

    Args:
        answer: what comes of a request: an error to raise, or nothing.
    """

    namespace = "default"

    def __init__(self, answer: Callable[[Asked], Exception | None]) -> None:
        self._answer = answer
        self.asked: list[Asked] = []

    async def request(
        self,
        method: str,
        path: str,
        *,
        body: Mapping[str, Any] | None = None,
        content_type: str = "application/json",
        params: Mapping[str, str] | None = None,
    ) -> Any:
        """Ask."""
        assert content_type == ("application/json" if method == "POST" else "application/merge-patch+json")
        assert params is None
        asked = Asked(method, path, body or {})
        self.asked.append(asked)
        if error := self._answer(asked):
            raise error
        return {}
