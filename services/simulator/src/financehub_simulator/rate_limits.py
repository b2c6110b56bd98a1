"""The rate limits that the upstreams document.

Yahoo documents no limit, and RSS feeds have none.
"""

from dataclasses import dataclass, field


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


@dataclass(slots=True)
class RateLimits:
    """The rate limits of all upstreams.

    Args:
        binance: Request weight per minute.
        coingecko: Requests per minute. The Demo plan allows 30 to 100; this is the lower end.
        kraken: One request per second, with a burst of 15.
        finnhub: Requests per minute.
        finnhub_burst: Requests per second.
        gdelt: One request every 5 s.
    """

    binance: FixedWindow = field(default_factory=lambda: FixedWindow(6_000, 60))
    coingecko: FixedWindow = field(default_factory=lambda: FixedWindow(30, 60))
    kraken: FixedWindow = field(default_factory=lambda: FixedWindow(15, 15))
    finnhub: FixedWindow = field(default_factory=lambda: FixedWindow(60, 60))
    finnhub_burst: FixedWindow = field(default_factory=lambda: FixedWindow(30, 1))
    gdelt: MinimumInterval = field(default_factory=lambda: MinimumInterval(5))

    def reset(self) -> None:
        """Mark every limit as unused."""
        unused = RateLimits()
        for name in self.__slots__:
            setattr(self, name, getattr(unused, name))
