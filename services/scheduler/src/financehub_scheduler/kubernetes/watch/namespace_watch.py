"""One namespace under watch, or all of them: what is known of the watch, and what the API server says beside it."""

import math
from collections.abc import Callable
from http import HTTPStatus

import structlog

from financehub_scheduler.kubernetes.client.api import ApiError, ApiUnreachableError, KubeApi
from financehub_scheduler.kubernetes.watch.watch import Told, Watch
from financehub_shared.core.clock import Clock

log = structlog.get_logger(__name__)

#: A watch that has not begun anew for so many times its length, while the API server answers, is deaf.
_DEAF = 5
#: So many probes in a row must find no ScheduledTasks served before they are taken for gone.
_ABSENT = 2
#: A watch that begins shows what it was behind with, within this time.
_SHOWN_SECONDS = 2.0


class Scope:
    """What is watched together.

    Args:
        api: connection to the cluster.
        clock: time.
        namespace: which one; None: all.
        told: of the watch.
        listed: called in the watch's thread when another list is complete.
        watch_seconds: how long the server is asked to keep one watch open.
    """

    def __init__(
        self,
        api: KubeApi,
        clock: Clock,
        namespace: str | None,
        told: Told,
        listed: Callable[[], None],
        watch_seconds: int,
    ) -> None:
        self._api = api
        self._clock = clock
        self.namespace = namespace
        self.watch = Watch(clock, namespace, told, self._listed, watch_seconds)
        self._on_listed = listed
        self._deaf_seconds = _DEAF * watch_seconds
        #: Lists that are complete, and the one that was last compared with what is present; -1: it must be again.
        self.lists = self.compared = 0
        #: Since when every probe has been answered, monotonic seconds; None: the last one was not.
        self._answering: float | None = None
        self._absences = 0

    @property
    def looked(self) -> float:
        """Whatever changed here before then has been shown, monotonic seconds."""
        began = self.watch.began
        shown = self.lists == self.compared and self._clock.monotonic() > began + _SHOWN_SECONDS
        return began if shown else -math.inf

    @property
    def absent(self) -> bool:
        """Whether the API server no longer serves ScheduledTasks."""
        return self._absences >= _ABSENT

    async def probe(self) -> None:
        """See whether the API server has what we watch; without that, silence says nothing about the watch."""
        try:
            async for _ in self._api.metadata(self.namespace, page=1):
                break
        except (ApiError, ApiUnreachableError) as error:
            log.debug("probe_failed", error=str(error))
            self._answering = None
            self._absences = self._absences + 1 if _is_not_served(error) else 0
        else:
            self._absences = 0
            if self._answering is None:
                self._answering = self._clock.monotonic()

    def live(self) -> list[str]:
        """Why the process should be restarted; empty: it should not."""
        if self._answering is None:
            return []
        # after an outage the watch needs a moment to notice
        age = self._clock.monotonic() - max(self.watch.began, self._answering)
        if age > self._deaf_seconds:
            return [f"the watch of ScheduledTasks has not begun anew for {age:.0f} s although the API server answers"]
        return []

    async def present(self) -> set[str] | None:
        """The uids that the API server has; None: cannot be told now."""
        try:
            return {
                metadata["uid"]
                async for metadata in self._api.metadata(self.namespace)
                if "deletionTimestamp" not in metadata
            }
        except (ApiError, ApiUnreachableError) as error:
            if _is_not_served(error) and self.absent:
                return set()
            # the watch meets the same, and has said so
            log.debug("resources_not_compared", error=str(error))
            return None

    def _listed(self) -> None:
        self.lists += 1
        self._on_listed()


def _is_not_served(error: ApiError | ApiUnreachableError) -> bool:
    """Whether the API server knows no ScheduledTasks; a namespace that it does not know is empty to it."""
    return isinstance(error, ApiError) and error.status == HTTPStatus.NOT_FOUND
