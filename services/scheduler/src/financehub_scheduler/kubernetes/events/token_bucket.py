"""A rate limit that allows bursts."""


class TokenBucket:
    """Tokens that are refilled at a constant rate.

    Args:
        size: Initial and maximum number of tokens.
        seconds: Time in seconds to refill one token.
        now: Monotonic time in seconds.
    """

    __slots__ = ("_refilled_at", "_seconds", "_size", "_tokens")

    def __init__(self, size: int, seconds: float, now: float) -> None:
        self._size = size
        self._seconds = seconds
        self._tokens = float(size)
        self._refilled_at = now

    def take(self, now: float) -> bool:
        """Take a token if one is left, and return whether it was taken.

        Args:
            now: Monotonic time in seconds.
        """
        self._tokens = min(self._size, self._tokens + (now - self._refilled_at) / self._seconds)
        self._refilled_at = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True
