"""The due times of a follower: the successes of its predecessor. Pure functions."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from financehub_scheduler.catch_up import MAX_CATCH_UP


def due_time_of_success(finished_at: float) -> float:
    """Return the due time that a success gives a follower: the end of the run, rounded up to a whole millisecond.

    Every scheduler computes the same one from the same record, and due times have milliseconds in Redis. A run that is
    enqueued for it starts after the success, because no scheduler knows a success before it is recorded.

    Args:
        finished_at: End of the run in Unix seconds.
    """
    # Rounded to microseconds first, because a number such as 1800000000.123 is stored a little above or below itself.
    return math.ceil(round(finished_at * 1000, 3)) / 1000


def with_success(times: tuple[float, ...], due: float) -> tuple[float, ...]:
    """Return the due times of a follower with another one. If there are too many, the oldest is dropped.

    Args:
        times: The known due times in Unix seconds, ascending.
        due: The other one. It may be known.
    """
    return times if due in times else tuple(sorted((*times, due)))[-MAX_CATCH_UP:]


@dataclass(frozen=True, slots=True)
class Successes:
    """The due times that a follower knows. For planning, they replace the recurrence.

    Args:
        times: Due times in Unix seconds, ascending.
        offset: Seconds after the due time at which the run is enqueued (jitter).
    """

    times: tuple[float, ...]
    offset: float

    def next_after(self, time: float) -> float | None:
        """Return the first due time after `time`, or None if there is none."""
        return next((due for due in self.times if due > time), None)

    def due_times(self, after: float, until: float) -> Sequence[float]:
        """Return the due times in (after, until] in ascending order."""
        return [due for due in self.times if after < due <= until]

    def newest(self, count: int, after: float, until: float) -> Sequence[float]:
        """Return the last `count` due times in (after, until] in ascending order."""
        return self.due_times(after, until)[-count:]

    def count(self, after: float, until: float, limit: int) -> int:
        """Return the number of due times in (after, until], counted up to `limit`."""
        return len(self.newest(limit, after, until))
