"""Counts what each client does, and says when it has done too much."""

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

#: Number of clients that are remembered. If there are more, the one that was silent for longest is forgotten.
MOST_CLIENTS = 10_000


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the limiter says about one request.

    Args:
        is_allowed: Whether the request may be handled.
        remaining: Number of further requests that the client may send now.
        wait_seconds: Time until it may send the next one, if it may not now; otherwise until all are available again.
    """

    is_allowed: bool
    remaining: int
    wait_seconds: float


class RateLimiter:
    """A token bucket for each client, as the generic cell rate algorithm of ITU-T I.371 keeps it: one time per client.

    Args:
        limit: Number of requests that a client may send in a window, also all at once.
        window_seconds: Length of the window.
        monotonic: Returns the monotonic time in seconds.
    """

    def __init__(self, limit: int, window_seconds: float, monotonic: Callable[[], float]) -> None:
        self.limit = limit
        self.window_seconds = window_seconds
        self._interval = window_seconds / limit
        self._monotonic = monotonic
        self._lock = threading.Lock()
        #: Client → time at which all of its requests are available again.
        self._full_at: OrderedDict[str, float] = OrderedDict()

    def count(self, client: str) -> Verdict:
        """Count a request of a client, unless it is refused."""
        return self._judge(client, is_counted=True)

    def check(self, client: str) -> Verdict:
        """Return what `count` would return, without counting."""
        return self._judge(client, is_counted=False)

    def _judge(self, client: str, *, is_counted: bool) -> Verdict:
        now = self._monotonic()
        with self._lock:
            full_at = max(self._full_at.get(client, now), now)
            next_full_at = full_at + self._interval
            wait = next_full_at - now - self.window_seconds
            if wait > 1e-9:
                return Verdict(is_allowed=False, remaining=0, wait_seconds=wait)
            if is_counted:
                self._remember(client, next_full_at)
        remaining = int((self.window_seconds - (next_full_at - now)) / self._interval + 1e-9)
        return Verdict(is_allowed=True, remaining=remaining, wait_seconds=next_full_at - now)

    def _remember(self, client: str, full_at: float) -> None:
        self._full_at[client] = full_at
        self._full_at.move_to_end(client)
        if len(self._full_at) > MOST_CLIENTS:
            self._full_at.popitem(last=False)
