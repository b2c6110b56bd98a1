"""The due times of a schedule since its last change, with the time at which each one is to be enqueued.

The due times of the recurrence up to the last change of the spec never run. The only earlier ones are those that an
older spec had yielded and that only waited for their jitter at the change. They are pending, and run with the new spec.
ADR 0081 has the reasons.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol


class DueTimes(Protocol):
    """What yields the due times of a schedule: its recurrence, or the successes of its predecessor."""

    @property
    def offset(self) -> float: ...
    def next_after(self, time: float) -> float | None: ...
    def due_times(self, after: float, until: float) -> Iterable[float]: ...
    def newest(self, count: int, after: float, until: float) -> Sequence[float]: ...
    def count(self, after: float, until: float, limit: int) -> int: ...


@dataclass(frozen=True, slots=True)
class Timeline:
    """The due times of a schedule. All times are Unix seconds.

    Args:
        recurrence: What yields its due times since the last change.
        since: Time of the last change of the spec, or of the last resumption.
        pending: Due times of older specs that still run, ascending. None of them is later than `since`.
    """

    recurrence: DueTimes
    since: float = 0.0
    pending: tuple[float, ...] = ()

    def enqueue_time(self, due: float) -> float:
        """Return the time at which a due time is to be enqueued: after its jitter, and not before the last change."""
        return max(due + self.recurrence.offset, self.since)

    def next_after(self, mark: float) -> float | None:
        """Return the first due time after a high-water mark, or None if there is none.

        Raises:
            CalendarHorizonError: The next due time is beyond the end of the calendar.
        """
        if self.pending and self.pending[-1] > mark:
            return next(due for due in self.pending if due > mark)
        return self.recurrence.next_after(max(mark, self.since))

    def newest(self, count: int, mark: float, now: float) -> list[float]:
        """Return the last `count` due times after a high-water mark that are to be enqueued by `now`, ascending.

        Raises:
            CalendarHorizonError: One of the due times is beyond the end of the calendar.
        """
        found = self.recurrence.newest(count, max(mark, self.since), now - self.recurrence.offset)
        return [*self._pending(mark, -math.inf, now), *found][-count:]

    def count(self, mark: float, now: float, limit: int) -> int:
        """Return the number of due times after a high-water mark that are to be enqueued by `now`, up to `limit`.

        Raises:
            CalendarHorizonError: One of the due times is beyond the end of the calendar.
        """
        found = self.recurrence.count(max(mark, self.since), now - self.recurrence.offset, limit)
        return min(limit, len(self._pending(mark, -math.inf, now)) + found)

    def between(self, mark: float, begin: float, end: float) -> list[float]:
        """Return the due times after a high-water mark that are to be enqueued in [begin, end], ascending.

        Raises:
            CalendarHorizonError: One of the due times is beyond the end of the calendar.
        """
        offset = self.recurrence.offset
        # The ranges of a recurrence do not include their beginning.
        after = max(mark, self.since, math.nextafter(begin - offset, -math.inf))
        return [*self._pending(mark, begin, end), *self.recurrence.due_times(after, end - offset)]

    def _pending(self, mark: float, begin: float, end: float) -> list[float]:
        return [due for due in self.pending if due > mark and begin <= self.enqueue_time(due) <= end]
