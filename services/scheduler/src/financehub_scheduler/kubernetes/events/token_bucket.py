"""A limit that lets a burst pass."""


class Bucket:
    """Tokens that come back with time.

    Args:
        size: how many there are at first, and at most.
        seconds: until one that was taken is back.
        now: monotonic seconds.
    """

    __slots__ = ("_at", "_seconds", "_size", "_tokens")

    def __init__(self, size: int, seconds: float, now: float) -> None:
        self._size = size
        self._seconds = seconds
        self._tokens = float(size)
        self._at = now

    def take(self, now: float) -> bool:
        """Take a token, if there is one."""
        self._tokens = min(self._size, self._tokens + (now - self._at) / self._seconds)
        self._at = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True
