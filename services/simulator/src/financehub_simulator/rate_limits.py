"""The upstreams' rate limits and their usage."""

from dataclasses import dataclass


@dataclass(slots=True)
class FixedWindow:
    """A limit of `allowed` units in each window of `seconds`."""

    allowed: int
    seconds: float
    started_at: float = 0.0
    used: int = 0

    def take(self, now: float, weight: int = 1) -> float | None:
        """Use `weight` units. Return None if they were available, otherwise the seconds until the next window."""
        if not self.started_at <= now < self.started_at + self.seconds:
            self.started_at, self.used = now - now % self.seconds, 0
        self.used += weight
        return None if self.used <= self.allowed else self.started_at + self.seconds - now


@dataclass(slots=True)
class MinimumInterval:
    """A limit of one request every `seconds`."""

    seconds: float
    last_request_at: float = float("-inf")

    def take(self, now: float) -> float | None:
        """Return None if enough time has passed since the last request, otherwise the seconds left to wait."""
        wait = self.last_request_at + self.seconds - now
        if 0 < wait <= self.seconds:
            return wait
        self.last_request_at = now
        return None


class RateLimits:
    """The usage of one simulator's rate limits. Each upstream defines its limits in its own module."""

    def __init__(self) -> None:
        self._windows: dict[tuple[str, int, float], FixedWindow] = {}
        self._intervals: dict[str, MinimumInterval] = {}

    def window(self, upstream: str, allowed: int, seconds: float) -> FixedWindow:
        """Return the limit of `allowed` units in each window of `seconds`. It is created on first use."""
        return self._windows.setdefault((upstream, allowed, seconds), FixedWindow(allowed, seconds))

    def minimum_interval(self, upstream: str, seconds: float) -> MinimumInterval:
        """Return the limit of one request every `seconds`. It is created on first use."""
        return self._intervals.setdefault(upstream, MinimumInterval(seconds))

    def reset(self) -> None:
        """Mark every limit as unused."""
        self._windows.clear()
        self._intervals.clear()
