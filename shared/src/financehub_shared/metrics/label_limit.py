"""Bounds the number of label values that come from data, such as the names of queues.

Each new value creates a series that the process and Prometheus keep. Names of queues and tasks come from messages and
schedules, which anyone with access to Redis or the cluster can write.
"""

import threading

#: The label value that all values beyond the limit share.
OTHER = "other"
#: Number of values with their own series. A fleet has a few tiers and tasks, and 100 series of a counter take 50 kB.
MAX_VALUES = 100


class LabelLimit:
    """Decides which combinations of label values have their own series.

    Args:
        limit: Number of combinations from data that have their own series.
    """

    def __init__(self, limit: int = MAX_VALUES) -> None:
        self._limit = limit
        self._reserved: set[tuple[str, ...]] = set()
        self._admitted: set[tuple[str, ...]] = set()
        self._lock = threading.Lock()

    def reserve(self, *values: str) -> None:
        """Give a combination that does not come from data its own series, regardless of the limit."""
        self._reserved.add(values)

    def __call__(self, *values: str) -> tuple[str, ...]:
        """Return the label values to use: the given ones, or `OTHER` for each if there are too many."""
        if values in self._reserved or values in self._admitted:
            return values
        with self._lock:
            if len(self._admitted) >= self._limit:
                return (OTHER,) * len(values)
            self._admitted.add(values)
        return values

    def forget(self, *values: str) -> None:
        """Make room for another combination, because the series of this one were removed."""
        with self._lock:
            self._admitted.discard(values)
