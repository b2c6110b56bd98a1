"""The upstreams' own rate limits: fixed windows per upstream, as their documentation gives them.

Yahoo documents none, RSS feeds have none.
"""

from dataclasses import dataclass, field


@dataclass(slots=True)
class Window:
    """At most `allowed` units in each window of `seconds`."""

    allowed: int
    seconds: float
    began: float = 0.0
    used: int = 0

    def take(self, now: float, weight: int = 1) -> float | None:
        """Use `weight` units; None if they were there, else seconds until they are."""
        if not self.began <= now < self.began + self.seconds:
            self.began, self.used = now - now % self.seconds, 0
        self.used += weight
        return None if self.used <= self.allowed else self.began + self.seconds - now


@dataclass(slots=True)
class Spacing:
    """At most one request every `seconds`."""

    seconds: float
    last: float = float("-inf")

    def take(self, now: float) -> float | None:
        """None if enough time has passed, else seconds until it has."""
        wait = self.last + self.seconds - now
        if 0 < wait <= self.seconds:
            return wait
        self.last = now
        return None


@dataclass(slots=True)
class Limits:
    """Every upstream's limits.

    Args:
        binance: request weight a minute.
        coingecko: Demo plan, 30 to 100 a minute: the lower end.
        kraken: one a second, with a burst of 15.
        finnhub, finnhub_burst: a minute, a second.
        gdelt: one every 5 s.
    """

    binance: Window = field(default_factory=lambda: Window(6_000, 60))
    coingecko: Window = field(default_factory=lambda: Window(30, 60))
    kraken: Window = field(default_factory=lambda: Window(15, 15))
    finnhub: Window = field(default_factory=lambda: Window(60, 60))
    finnhub_burst: Window = field(default_factory=lambda: Window(30, 1))
    gdelt: Spacing = field(default_factory=lambda: Spacing(5))

    def clear(self) -> None:
        """Give everything back."""
        fresh = Limits()
        for name in self.__slots__:
            setattr(self, name, getattr(fresh, name))
