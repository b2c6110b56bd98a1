"""`@open` and `@close`: the first opening and the last closing of each session day of a calendar."""

from bisect import bisect_right
from dataclasses import dataclass

from financehub_shared.recurrence.calendar import Calendar

OPEN, CLOSE = "@open", "@close"


@dataclass(frozen=True, slots=True)
class SessionEdge:
    """The beginnings or the ends of the session days of a calendar.

    Args:
        text: `@open` or `@close`.
        calendar: The calendar, moved by `calendarOffsetSeconds`.
    """

    text: str
    calendar: Calendar

    def next_after(self, time: float) -> int:
        """Return the first opening or closing after `time`.

        Raises:
            CalendarHorizonError: The calendar does not cover it.
        """
        edges = self.calendar.day_opens if self.text == OPEN else self.calendar.day_closes
        index = bisect_right(edges, time)
        if time < self.calendar.first or index == len(edges) or edges[index] >= self.calendar.end:
            raise self.calendar.beyond()
        return edges[index]
