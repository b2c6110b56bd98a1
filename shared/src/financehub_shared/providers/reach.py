"""Notices that this machine reaches no upstream at all, so that one sentence replaces a reason for each provider."""

import threading
from collections.abc import Callable

from financehub_shared.core.errors import (
    NO_UPSTREAM,
    BreakerOpenError,
    ConnectTimeoutError,
    NotSentError,
    ProviderError,
    ProviderTimeoutError,
    QuotaExceededError,
    UnreachableError,
)
from financehub_shared.core.log import get_logger

log = get_logger(__name__)

#: A connection to fewer upstreams may fail because of the upstream itself.
_MIN_UPSTREAMS = 2
#: An upstream that was reached longer ago shows nothing about the network now.
_REACHED_SECONDS = 300.0


class UpstreamReach:
    """Remembers for each upstream whether the last call reached it.

    The network counts as lost if the last calls of at least two upstreams found no connection, and no upstream was
    reached in the last five minutes. The first response from any upstream ends this.

    Args:
        monotonic: Returns the monotonic time in seconds.
    """

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._reached_at = float("-inf")
        self._unreachable: set[str] = set()
        self._is_logged = False

    @property
    def is_lost(self) -> bool:
        """Whether this machine reaches no upstream."""
        with self._lock:
            is_recent = self._monotonic() - self._reached_at < _REACHED_SECONDS
            return len(self._unreachable) >= _MIN_UPSTREAMS and not is_recent

    def record(self, upstream: str, error: ProviderError | None) -> None:
        """Record the end of a call.

        Args:
            upstream: Name of the upstream, or of its part.
            error: The error of the call, or None if it succeeded.
        """
        if isinstance(error, UnreachableError | ConnectTimeoutError):
            with self._lock:
                self._unreachable.add(upstream)
            if self.is_lost and not self._is_logged:
                self._is_logged = True
                consequence = "tasks that fetch data fail; stored data stays"
                log.warning("upstreams_unavailable", error=NO_UPSTREAM, consequence=consequence)
        elif not isinstance(error, BreakerOpenError | QuotaExceededError | ProviderTimeoutError | NotSentError):
            # Any response is a sign of the network, but these errors are raised without one.
            with self._lock:
                self._reached_at = self._monotonic()
                self._unreachable.clear()
            if self._is_logged:
                self._is_logged = False
                log.info("upstreams_available_again", upstream=upstream)
