"""The watch of one namespace or of all namespaces, and checks that it still works."""

import math
from collections.abc import Callable
from http import HTTPStatus

import structlog

from financehub_scheduler.kubernetes.client.api import ApiError, ApiUnreachableError, KubeApi
from financehub_scheduler.kubernetes.watch.kopf_watch import EventHandler, KopfWatch
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
        on_event: Called in the watch's thread with every event.
        on_list: Called in the watch's thread whenever a list is complete.
        watch_seconds: Seconds for which the server is requested to keep a watch open.
    """

    def __init__(
        self,
        api: KubeApi,
        clock: Clock,
        namespace: str | None,
        on_event: EventHandler,
        on_list: Callable[[], None],
        watch_seconds: int,
    ) -> None:
        self._api = api
        self._clock = clock
        self.namespace = namespace
        self._watch = KopfWatch(clock, namespace, on_event, self._count_list, watch_seconds)
        self._on_list = on_list
        self._max_age_seconds = _MAX_MISSED_LISTS * watch_seconds
        #: Number of complete lists, and that number at the time when the known resources were last compared with those
        #: that the API server has. -1 requests another comparison.
        self.lists = self.compared_lists = 0
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
        caught_up = self.lists == self.compared_lists and self._clock.monotonic() > began_at + _CATCH_UP_SECONDS
        return began_at if caught_up else -math.inf

    @property
    def absent(self) -> bool:
        """Whether the API server no longer serves ScheduledTasks."""
        return self._absent_checks >= _ABSENT_CHECKS

    async def check_served(self) -> None:
        """Check that the API server serves ScheduledTasks. Otherwise a silent watch would prove nothing."""
        try:
            async for _ in self._api.metadata(self.namespace, page=1):
                break
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

    async def present(self) -> set[str] | None:
        """Return the uids that the API server has, or None if it cannot be queried now."""
        try:
            return {
                metadata["uid"]
                async for metadata in self._api.metadata(self.namespace)
                if "deletionTimestamp" not in metadata
            }
        except (ApiError, ApiUnreachableError) as error:
            if _is_not_served(error) and self.absent:
                return set()
            # The watch encounters the same error and logs it.
            log.debug("resource_comparison_failed", error=str(error))
            return None

    def _count_list(self) -> None:
        self.lists += 1
        self._on_list()


def _is_not_served(error: ApiError | ApiUnreachableError) -> bool:
    """Whether the API server does not know ScheduledTasks. For an unknown namespace, it returns an empty list."""
    return isinstance(error, ApiError) and error.status == HTTPStatus.NOT_FOUND
