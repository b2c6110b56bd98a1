"""Turns what one watch receives into the watch events that a source applies."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from financehub_scheduler.kubernetes.observed_status import observe
from financehub_scheduler.kubernetes.watch.resource import (
    ListCompleted,
    ResourceApplied,
    ResourceDeleted,
    StatusChanged,
    WatchedResource,
    WatchEvent,
    parse_resource,
)


class EventReader:
    """Reads the resources of one watch, and compiles those whose spec is new. It runs in the watch's thread.

    Args:
        namespace: The watched namespace, or None for all of them.
        put: Receives the watch events in order.
    """

    def __init__(self, namespace: str | None, put: Callable[[WatchEvent], None]) -> None:
        self._namespace = namespace
        self._put = put
        #: uid → newest state.
        self._last: dict[str, WatchedResource] = {}

    def on_event(self, kind: str | None, body: Mapping[str, Any]) -> None:
        """Read a resource that was listed or has changed.

        Args:
            kind: ADDED, MODIFIED or DELETED; None for a resource in a list.
            body: The resource, as the API server sent it.
        """
        metadata = body["metadata"]
        uid = metadata["uid"]
        if kind == "DELETED" or "deletionTimestamp" in metadata:
            self._last.pop(uid, None)
            self._put(ResourceDeleted(uid))
            return
        last = self._last.get(uid)
        if last and last.same_spec(body):
            self._last[uid] = resource = replace(last, status=observe(body.get("status")))
            self._put(StatusChanged(resource))
        else:
            self._last[uid] = resource = parse_resource(body)
            self._put(ResourceApplied(resource))

    def on_list(self, uids: frozenset[str]) -> None:
        """Report the resources whose deletion was not delivered, which happens while no watch is open.

        Args:
            uids: Uids of all resources in the list that was just read.
        """
        for uid in self._last.keys() - uids:
            del self._last[uid]
            self._put(ResourceDeleted(uid))
        self._put(ListCompleted(self._namespace))
