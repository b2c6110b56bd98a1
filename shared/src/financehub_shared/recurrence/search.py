"""The search for the due times of several lines, in the order of time and with a limit of its steps.

Only the line with the earliest candidate goes on, so the search of a line that is excluded for long ends at the due
time of another line. A line that is excluded or closed again and again skips the days on which it cannot be due.
"""

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from heapq import heapify, heappop, heappush
from typing import Protocol
from zoneinfo import ZoneInfo

from financehub_shared.core.durations import DAY_SECONDS
from financehub_shared.recurrence.calendar import Calendar, CalendarHorizonError, DistantDueTimeError
from financehub_shared.recurrence.cron import Cron
from financehub_shared.recurrence.excluded import NEVER, Excluded
from financehub_shared.recurrence.interval import Interval
from financehub_shared.recurrence.prospects import may_be_due, promising_opens
from financehub_shared.recurrence.rules import Rule
from financehub_shared.recurrence.sessions import SessionEdge
from financehub_shared.recurrence.zone_changes import zone_clock

#: Candidates that one question may reject. They take less than 20 ms.
MAX_STEPS = 1_000
#: Rejected candidates of a line in a row after which it is examined whether it may be due at all in the days around.
_PATIENCE = 8
#: Steps that this examination counts for.
_EXAMINATION = 20
#: Rejected openings or closes that count for one step.
_EDGES = 4
#: Years without a due time that is not excluded, after which a cron expression never has one. The days of an expression
#: on one weekday are at most 40 years apart.
_MAX_EXCLUDED = 50 * 366 * DAY_SECONDS
#: A change of the clock is shorter than this.
_CHANGE = 2 * DAY_SECONDS


class Limits(Protocol):
    """What limits the due times of lines; see `Recurrence`."""

    @property
    def rules(self) -> tuple[Rule, ...]: ...
    @property
    def calendar(self) -> Calendar | None: ...
    @property
    def excluded(self) -> Excluded | None: ...
    @property
    def zone(self) -> ZoneInfo: ...
    def coverage(self) -> tuple[float, float]: ...


@dataclass(slots=True)
class Steps:
    """The candidates that a search, or several searches together, have rejected and may reject."""

    left: int = MAX_STEPS

    def take(self, number: int, searched: float) -> None:
        """Count some steps.

        Args:
            number: The steps.
            searched: Time until which nothing is due, Unix seconds.

        Raises:
            DistantDueTimeError: There are no steps left.
        """
        self.left -= number
        if self.left < 0:
            day = datetime.fromtimestamp(searched, UTC).date()
            raise DistantDueTimeError(
                f"nothing is due until {day}, and the search for the next due time has ended there, because exclude or "
                "the calendar removes too many due times; exclude less, or write lines with times that stay",
                searched,
            )


@dataclass(slots=True)
class _Line:
    rule: Rule
    calendar: Calendar | None
    rejected: int = 0
    never_after: float = 0.0
    idle: dict[tuple[int, int], bool] = field(default_factory=dict)


class Search:
    """The due times of some lines after a time, ascending.

    Args:
        limits: The lines, and the calendar and the exclusions that limit them.
        after: Time after which the search begins, Unix seconds.
        last: Last possible due time, Unix seconds.
        until: Time until which the caller needs the due times, Unix seconds.
        steps: The steps that the search may take.
    """

    def __init__(self, limits: Limits, after: float, last: float, until: float, steps: Steps) -> None:
        self._limits, self._after, self._steps = limits, after, steps
        self._last, self._until = min(last, until), until
        self._unknown: CalendarHorizonError | None = None
        self._clock = zone_clock(limits.zone) if limits.excluded is None else limits.excluded.clock
        #: Changes of the clock that are not excluded, as far as they were needed. Nothing is excluded less in between.
        self._changes: list[int] = []
        self._lines = [_Line(rule, None if isinstance(rule, SessionEdge) else limits.calendar) for rule in limits.rules]
        found = [(due, index) for index in range(len(self._lines)) if (due := self._next(index, after)) is not None]
        heapify(found)
        self._heap = found

    def due_times(self) -> Iterator[int]:
        """Yield the due times.

        Raises:
            CalendarHorizonError: The next due time is beyond the end of a calendar.
            DistantDueTimeError: The next due time was not found within the limit of steps.
        """
        before = None
        while self._heap and self._heap[0][0] <= self._last:
            due, index = heappop(self._heap)
            if self._unknown is not None and due >= self._limits.coverage()[1]:
                # The unknown due time of another line is at the end of the calendar or later.
                raise self._unknown
            try:
                again = due if due == before else self._reject(self._lines[index], due)
            except DistantDueTimeError:
                raise
            except CalendarHorizonError as error:
                self._set_unknown(error)
                continue
            if again is None:
                yield due
                again, before = due, due
            if again < NEVER and (candidate := self._next(index, again)) is not None:
                heappush(self._heap, (candidate, index))
        if self._unknown is not None and self._until >= self._limits.coverage()[1]:
            raise self._unknown

    def _next(self, index: int, time: float) -> int | None:
        try:
            return self._lines[index].rule.next_after(time)
        except CalendarHorizonError as error:
            self._set_unknown(error)
            return None

    def _set_unknown(self, error: CalendarHorizonError) -> None:
        self._unknown = error
        if self._after < self._limits.coverage()[0]:
            raise error

    def _reject(self, line: _Line, due: int) -> int | None:
        """Return a time up to which a line is not due, beginning with a candidate, or None if the candidate is due."""
        calendar, excluded = line.calendar, self._limits.excluded
        if calendar is not None and not calendar.is_open(due):
            self._count(line, due)
            if line.rejected > _PATIENCE:
                opening = self._promising(line.rule, calendar, due)
            else:
                # Jump to the next session, because a weekend without trading has thousands of minutes.
                opening = calendar.next_open(due)
            return NEVER if opening >= NEVER else max(due, opening - 1)
        until = None if excluded is None else excluded.until(due)
        if excluded is None or until is None:
            line.rejected, line.never_after = 0, 0.0
            return None
        self._count(line, due)
        if until >= NEVER or (line.never_after and due > line.never_after):
            return NEVER
        if line.rejected > _PATIENCE:
            until = max(until, self._idle_until(line, excluded, due))
        return NEVER if until >= NEVER else max(due, until - 1)

    def _count(self, line: _Line, due: int) -> None:
        line.rejected += 1
        # Only some thousand openings and closes are known, and their search needs no examination.
        if not isinstance(line.rule, SessionEdge) or line.rejected % _EDGES == 0:
            self._steps.take(1, due)

    def _promising(self, rule: Rule, calendar: Calendar, due: int) -> int:
        excluded = self._limits.excluded
        clock = rule.clock if isinstance(rule, Cron) else self._clock
        free = excluded.free_week(0) if excluded is not None and excluded.clock is clock else None
        opens = promising_opens(rule, calendar, clock, free)
        if not opens:
            return NEVER  # a calendar has the same hours after its end, so the line is never due
        index = bisect_right(opens, due)
        if index == len(opens):
            raise calendar.beyond()
        return opens[index]

    def _idle_until(self, line: _Line, excluded: Excluded, due: int) -> int:
        """Return an instant before which a line is not due because of the usual days around, or the candidate."""
        rule = line.rule
        stretch = excluded.stretch(due)
        if stretch is None or (isinstance(rule, Cron) and rule.clock is not self._clock):
            line.never_after = 0.0
            return due
        offset, change = self._clock.section(due)
        key = stretch.bits, offset if isinstance(rule, Interval) else 0
        idle = line.idle.get(key)
        if idle is None:
            self._steps.take(_EXAMINATION, due)
            idle = not any(may_be_due(rule, *part, offset) for part in excluded.free_week(stretch.bits))
            line.idle[key] = idle
        end = excluded.day_start(stretch.end)
        endless = end >= NEVER
        if not endless or not (idle or isinstance(rule, Cron)):
            line.never_after = 0.0
        elif not line.never_after:
            line.never_after = due + _MAX_EXCLUDED
        if not idle:
            return due
        if not isinstance(rule, Cron) or change - due <= _CHANGE:
            return min(end, change)
        # At matching local times only, a line is not due after a change either.
        return end if rule.elapsed else min(end, self._free_change(excluded, due))

    def _free_change(self, excluded: Excluded, due: int) -> int:
        """Return the next change of the clock at which a line may be due at a local time that it does not name."""
        while not self._changes or self._changes[-1] <= due:
            begin = max(due, self._changes[-1]) if self._changes else due
            self._changes.append(self._find_change(excluded, begin, begin + _MAX_EXCLUDED))
        return self._changes[bisect_right(self._changes, due)]

    def _find_change(self, excluded: Excluded, begin: int, last: int) -> int:
        """Return the next change of the clock that is not excluded, or a time after `last`."""
        at = begin
        while at <= last:
            offset, at = self._clock.section(at)
            if self._clock.section(at)[0] == offset:
                continue
            try:
                if excluded.until(at) is None:
                    break
            except CalendarHorizonError:
                break  # the search asks again when it arrives there
        return at
