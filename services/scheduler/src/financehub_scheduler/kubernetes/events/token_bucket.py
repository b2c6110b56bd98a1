"""Rate limit that allows bursts."""


class TokenBucket:
    """Tokens that are refilled at a constant rate.

    Args:
        size: Number of tokens at the start, and the largest number.
        seconds: Seconds until one token is refilled.
        now: Monotonic time in seconds.
    """

    __slots__ = ("_refilled_at", "_seconds", "_size", "_tokens")

    def __init__(self, size: int, seconds: float, now: float) -> None:
        self._size = size
        self._seconds = seconds
        self._tokens = float(size)
        self._refilled_at = now

    def take(self, now: float) -> bool:
        """Take a token. Returns whether there was one.

        Args:
            now: Monotonic time in seconds.
        """
        self._tokens = min(self._size, self._tokens + (now - self._refilled_at) / self._seconds)
        self._refilled_at = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True
