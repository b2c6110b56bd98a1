"""Takes the resources out of kopf's lists, page by page.

kopf starts a task for each object of a list, which costs several times as much as reading the object. Therefore, the
pages pass through this module: it delivers their resources itself and leaves kopf an empty page, of which kopf needs
only the metadata for the next page and for the subsequent watch.
"""

from collections.abc import Callable, Mapping
from typing import Any

import aiohttp
import structlog
import yarl

from financehub_shared.spec.scheduled_task import PLURAL

log = structlog.get_logger(__name__)


class ListPages:
    """The pages of one watch's lists. It runs in the watch's thread.

    Args:
        on_object: Called with each resource.
        on_list: Called with the uids of all resources when a list is complete.
    """

    def __init__(
        self, on_object: Callable[[Mapping[str, Any]], None], on_list: Callable[[frozenset[str]], None]
    ) -> None:
        self._on_object = on_object
        self._on_list = on_list
        #: Uids on the pages of the current list.
        self._uids: set[str] = set()
        #: Whether a list has begun whose last page has not arrived. No watch follows before that, even after a failure.
        self.is_listing = False
        #: Resource version of the last complete list; None if there is none.
        self._version: int | None = None
        #: Class of the responses in kopf's session.
        self.response_class = _response_class(self.take)

    def take(self, url: yarl.URL, answer: Any) -> None:
        """Deliver the resources of a response, and remove them from it, if it is a page of a list of ScheduledTasks.

        Args:
            url: URL of the request.
            answer: The decoded response.
        """
        if url.name != PLURAL or "items" not in answer:
            return
        if "continue" not in url.query:
            self._uids, self.is_listing = set(), True
        # The API server sends null instead of an empty list.
        resources, answer["items"] = answer["items"] or (), []
        for resource in resources:
            self._uids.add(resource["metadata"]["uid"])
            try:
                self._on_object(resource)
            except Exception:  # boundary: one resource must not end the watch of all others
                log.exception("resource_read_failed", uid=resource["metadata"]["uid"])
        if not answer["metadata"].get("continue"):
            self._version = _number(answer["metadata"].get("resourceVersion"))
            self._on_list(frozenset(self._uids))
            self._uids, self.is_listing = set(), False

    def is_outdated(self, resource: Mapping[str, Any]) -> bool:
        """Whether the last list contains this state of a resource, or a newer one, or shows its deletion.

        kopf delivers the events of a watch in the background, so the last ones may follow a newer list.
        """
        version = _number(resource["metadata"].get("resourceVersion"))
        return version is not None and self._version is not None and version <= self._version


def _number(version: Any) -> int | None:
    """Return a resource version as a number, or None for a server whose versions are not numbers."""
    text = str(version)
    return int(text) if text.isdecimal() else None


def _response_class(take: Callable[[yarl.URL, Any], None]) -> type[aiohttp.ClientResponse]:
    class Response(aiohttp.ClientResponse):
        """A response whose reader receives what `take` has left of it."""

        async def json(self, **options: Any) -> Any:
            answer = await super().json(**options)
            if self.ok:
                take(self.url, answer)
            return answer

    return Response
