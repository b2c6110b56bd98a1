"""The watch of one namespace or of all namespaces, and checks that it still works."""

import math
from collections.abc import Callable
from http import HTTPStatus

import structlog

from financehub_scheduler.kubernetes.client.api import (
    METADATA_ONLY,
    ApiError,
    ApiRequest,
    ApiUnreachableError,
    KubeApi,
    path_of,
)
from financehub_scheduler.kubernetes.watch.event_reader import EventReader
from financehub_scheduler.kubernetes.watch.kopf_watch import KopfWatch
from financehub_scheduler.kubernetes.watch.resource import WatchEvent
from financehub_shared.core.clock import Clock

log = structlog.get_logger(__name__)

#: If a watch has not restarted for this many times its length although the API server responds, it receives nothing.
_MAX_MISSED_LISTS = 5
#: ScheduledTasks count as no longer served if this many consecutive checks do not find them.
_ABSENT_CHECKS = 2
#: Time after its start within which a watch delivers the changes that it missed before.
_CATCH_UP_SECONDS = 2.0


class NamespaceWatch:
    """Watches one namespace, or all of them together.

    Args:
        api: Connection to the cluster.
        clock: Time.
        namespace: The namespace, or None for all of them.
        put: Receives in the watch's thread what changes, in order.
        watch_seconds: Seconds for which the server is requested to keep a watch open.
    """

    def __init__(
        self,
        api: KubeApi,
        clock: Clock,
        namespace: str | None,
        put: Callable[[WatchEvent], None],
        watch_seconds: int,
    ) -> None:
        self._api = api
        self._clock = clock
        self.namespace = namespace
        self._reader = EventReader(namespace, put)
        self._watch = KopfWatch(clock, namespace, self._reader.on_event, self._on_list, watch_seconds)
        self._max_age_seconds = _MAX_MISSED_LISTS * watch_seconds
        #: Number of complete lists, and of those that the source has applied.
        self.lists = self.applied_lists = 0
        #: Monotonic time since which every check has received a response; None if the last one has not.
        self._answering_since: float | None = None
        self._absent_checks = 0

    def start(self) -> None:
        """Start watching."""
        self._watch.start()

    def stop(self) -> None:
        """Stop watching."""
        self._watch.stop()

    @property
    def problem(self) -> str:
        """Why the watch currently does not work; empty if it works."""
        return self._watch.problem

    @property
    def observed_at(self) -> float:
        """Monotonic time before which every change in the namespace has been delivered."""
        began_at = self._watch.began_at
        is_applied = self.lists == self.applied_lists and not self._watch.is_listing
        return began_at if is_applied and self._clock.monotonic() > began_at + _CATCH_UP_SECONDS else -math.inf

    @property
    def absent(self) -> bool:
        """Whether the API server no longer serves ScheduledTasks."""
        return self._absent_checks >= _ABSENT_CHECKS

    async def check_served(self) -> None:
        """Check that the API server serves ScheduledTasks. Otherwise a silent watch would prove nothing."""
        try:
            await self._api.send(
                ApiRequest("GET", path_of(self.namespace), accept=METADATA_ONLY, params={"limit": "1"})
            )
        except (ApiError, ApiUnreachableError) as error:
            log.debug("served_check_failed", error=str(error))
            self._answering_since = None
            self._absent_checks = self._absent_checks + 1 if _is_not_served(error) else 0
        else:
            self._absent_checks = 0
            if self._answering_since is None:
                self._answering_since = self._clock.monotonic()

    def liveness(self) -> list[str]:
        """Return the reasons for restarting the process; empty if it is healthy."""
        if self._answering_since is None:
            return []
        # After an outage, the watch needs a moment to notice that the API server responds again.
        age = self._clock.monotonic() - max(self._watch.began_at, self._answering_since)
        if age > self._max_age_seconds:
            return [f"the watch of ScheduledTasks has not restarted for {age:.0f} s although the API server answers"]
        return []

    def _on_list(self, uids: frozenset[str]) -> None:
        # Counted first, so that the source never applies more lists than there are.
        self.lists += 1
        self._reader.on_list(uids)


def _is_not_served(error: ApiError | ApiUnreachableError) -> bool:
    """Whether the API server does not know ScheduledTasks. For an unknown namespace, it returns an empty list."""
    return isinstance(error, ApiError) and error.status == HTTPStatus.NOT_FOUND
