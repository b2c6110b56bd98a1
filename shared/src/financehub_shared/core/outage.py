"""Handles outages of one dependency, which is Redis or the Kubernetes API server.

`Outage` logs `<name>_unavailable` once when the dependency stops answering and `<name>_available_again` once when it
answers again. In between, it says when the next attempt may be made. Usage:

    outage = Outage("redis", clock.monotonic, log, pause_seconds=5.0)

    if outage.may_try():                # or: outage.remaining_seconds() == 0, for one caller at a time
        try:
            call()
        except RedisError as error:
            outage.failed(error)        # returns the monotonic time of the next attempt
        else:
            outage.succeeded()          # returns whether this ended an outage

`outage.active` and `outage.retry_at` show the state. All methods are thread-safe and return immediately.
"""

import math
import threading
from collections.abc import Callable
from typing import Any

from financehub_shared.core.exception_text import describe_exception

#: Failures beyond this number no longer lengthen the pause, which keeps the power of two finite.
_MAX_DOUBLINGS = 10


class Outage:
    """The state of one dependency, which is either available, or unavailable until an attempt succeeds.

    Args:
        name: The dependency or the work that needs it, as the prefix of the two log events.
        monotonic: Returns the time in seconds by a clock that is never set back.
        log: The caller's structlog logger.
        pause_seconds: Pause after the first failure.
        longest_pause_seconds: Limit up to which the pause doubles with each further failure. By default the pause is
            constant.
        consequence: One sentence for the log that says what happens during the outage.
    """

    def __init__(
        self,
        name: str,
        monotonic: Callable[[], float],
        log: Any,
        *,
        pause_seconds: float,
        longest_pause_seconds: float | None = None,
        consequence: str = "",
    ) -> None:
        self._name = name
        self._monotonic = monotonic
        self._log = log
        self._pause_seconds = pause_seconds
        self._longest_pause_seconds = pause_seconds if longest_pause_seconds is None else longest_pause_seconds
        self._consequence = {"consequence": consequence} if consequence else {}
        self._lock = threading.Lock()
        self._failures = 0
        self._retry_at = -math.inf
        self._probe_until = -math.inf

    @property
    def active(self) -> bool:
        """Whether the dependency is unavailable."""
        return self._failures > 0

    @property
    def retry_at(self) -> float:
        """Monotonic time of the next attempt; minus infinity while the dependency is available."""
        return self._retry_at

    def remaining_seconds(self) -> float:
        """Seconds until the next attempt may be made; 0 if it may be made now."""
        return max(0.0, max(self._retry_at, self._probe_until) - self._monotonic())

    def may_try(self) -> bool:
        """Whether the caller may use the dependency now.

        After a pause, only the first caller may; its call is the probe. The other callers must wait until the probe has
        reported its result, or until another pause has passed without one.
        """
        with self._lock:
            if not self._failures:
                return True
            now = self._monotonic()
            if now < self._retry_at or now < self._probe_until:
                return False
            self._probe_until = now + self._pause()
            return True

    def failed(self, error: BaseException | str) -> float:
        """Record that the dependency did not answer, and return the monotonic time of the next attempt.

        Concurrent calls that fail together count as one failure.
        """
        now = self._monotonic()
        with self._lock:
            began = self._failures == 0
            if now >= self._retry_at:
                self._failures += 1
                self._retry_at = now + self._pause()
                self._probe_until = -math.inf
            pause = self._retry_at - now
            retry_at = self._retry_at
        if began:
            problem = error if isinstance(error, str) else describe_exception(error)
            self._log.warning(f"{self._name}_unavailable", error=problem, retry_in=round(pause, 3), **self._consequence)
        return retry_at

    def succeeded(self, **details: Any) -> bool:
        """Record that the dependency answered, and return whether that ended an outage.

        Args:
            details: Additional fields for the log line that reports the end of an outage.
        """
        if not self._failures:  # the usual case takes no lock
            return False
        with self._lock:
            ended, self._failures = self._failures > 0, 0
            self._retry_at = self._probe_until = -math.inf
        if ended:
            self._log.info(f"{self._name}_available_again", **details)
        return ended

    def _pause(self) -> float:
        doublings = min(max(0, self._failures - 1), _MAX_DOUBLINGS)
        return min(self._longest_pause_seconds, self._pause_seconds * 2.0**doublings)
