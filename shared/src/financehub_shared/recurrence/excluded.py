"""All entries of `spec.exclude` together: until when nothing is due, in a few steps however the entries overlap.

The entries without holidays depend on the local day alone. The day selects the entries that apply, and these select the
excluded seconds of the day, which are computed once for each combination.
"""

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache

from financehub_shared.core.durations import DAY_SECONDS
from financehub_shared.recurrence.cron_days import EPOCH_ORDINAL
from financehub_shared.recurrence.exclusions import Exclusion
from financehub_shared.recurrence.zone_changes import ZoneClock

#: Days that one question looks ahead. The next question goes on from there.
_DAYS = 4
#: No clock has been put back by more than this, and two changes of a zone are at least four days apart.
_CHANGE = 2 * DAY_SECONDS
#: An end that no due time reaches: after the year 9999.
NEVER = 1 << 40
_NO_DAY = 1 << 30


@dataclass(frozen=True, slots=True)
class Stretch:
    """Days in which the same entries with ranges of dates apply.

    Args:
        bits: These entries, one bit each.
        end: The first day after them, as an ordinal; a large number if they never end.
    """

    bits: int
    end: int


@dataclass(frozen=True, slots=True)
class Excluded:
    """The times that some entries exclude.

    Args:
        entries: The entries, all of the same time zone; at least one.
    """

    entries: tuple[Exclusion, ...]
    _by_day: tuple[Exclusion, ...] = field(init=False, repr=False)
    _with_holidays: tuple[Exclusion, ...] = field(init=False, repr=False)
    #: Entries that apply on each weekday, and those that apply on all dates.
    _weekly: tuple[int, ...] = field(init=False, repr=False)
    _always: int = field(init=False, repr=False)
    _yearly: dict[tuple[int, int], int] = field(default_factory=dict, init=False, repr=False)
    #: Days at which ranges of dates begin or have ended, and the entries of the ranges from each on.
    _edges: tuple[int, ...] = field(init=False, repr=False)
    _ranges: tuple[int, ...] = field(init=False, repr=False)
    _blocked: dict[tuple[int, int], tuple[tuple[int, int], ...]] = field(default_factory=dict, init=False, repr=False)
    _weeks: dict[int, tuple[tuple[int, int], ...]] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        put = object.__setattr__
        by_day = tuple(entry for entry in self.entries if entry.holidays is None)
        put(self, "_by_day", by_day)
        put(self, "_with_holidays", tuple(entry for entry in self.entries if entry.holidays is not None))
        weekdays = [range(7) if entry.weekdays is None else entry.weekdays for entry in by_day]
        put(
            self,
            "_weekly",
            tuple(_bits(number for number, days in enumerate(weekdays) if day in days) for day in range(7)),
        )
        put(
            self,
            "_always",
            _bits(number for number, entry in enumerate(by_day) if not entry.yearly and not entry.ranges),
        )
        changes: dict[int, list[tuple[int, int]]] = {0: []}
        for number, entry in enumerate(by_day):
            for month_and_day in entry.yearly:
                self._yearly[month_and_day] = self._yearly.get(month_and_day, 0) | 1 << number
            for first, last in entry.ranges:
                changes.setdefault(first, []).append((number, 1))
                changes.setdefault(last + 1, []).append((number, -1))
        depths, bits = [0] * len(by_day), []
        edges = sorted(changes)
        for edge in edges:
            for number, step in changes[edge]:
                depths[number] += step
            bits.append(_bits(number for number, depth in enumerate(depths) if depth))
        put(self, "_edges", tuple(edges))
        put(self, "_ranges", tuple(bits))

    @property
    def clock(self) -> ZoneClock:
        """The clock of the entries' time zone."""
        return self.entries[0].clock

    def until(self, at: int) -> int | None:
        """Return a later instant until which nothing is due, or None if `at` is not excluded.

        Args:
            at: The instant, Unix seconds.

        Raises:
            CalendarHorizonError: The calendar of the holidays of an entry does not cover the day.
        """
        if self._by_day:
            found = self._until_by_day(at)
            if found is not None:
                return found
        for entry in self._with_holidays:
            found = entry.until(at)
            if found is not None:
                return found
        return None

    def stretch(self, at: int) -> Stretch | None:
        """Return the days around `at` with the same ranges of dates, or None if ranges begin or end at this day."""
        day = self.clock.local(at) // DAY_SECONDS + EPOCH_ORDINAL
        index = bisect_right(self._edges, day) - 1
        # A window over midnight reaches into the first day of the next stretch.
        if index and self._edges[index] == day and self._ranges[index] != self._ranges[index - 1]:
            return None
        return Stretch(self._ranges[index], self._edges[index + 1] if index + 1 < len(self._edges) else _NO_DAY)

    def free_week(self, bits: int) -> tuple[tuple[int, int], ...]:
        """Return the parts of a local week that are not excluded on its usual days, in seconds from Monday on.

        Days of every year and holidays exclude more, and never less.

        Args:
            bits: The entries with ranges of dates that apply, from `stretch`.
        """
        found = self._weeks.get(bits)
        if found is None:
            dated, parts = self._always | bits, []
            for weekday in range(7):
                begin, start = 0, weekday * DAY_SECONDS
                for first, last in self._blocked_of(self._weekly[weekday - 1] & dated, self._weekly[weekday] & dated):
                    if first > begin:
                        parts.append((start + begin, start + first))
                    begin = last
                if begin < DAY_SECONDS:
                    parts.append((start + begin, start + DAY_SECONDS))
            found = self._weeks[bits] = tuple(parts)
        return found

    def day_start(self, day: int) -> int:
        """Return the first instant of a local day, or `NEVER` for the end of the last stretch.

        Args:
            day: The day, as an ordinal.
        """
        return NEVER if day == _NO_DAY else self.clock.first_at((day - EPOCH_ORDINAL) * DAY_SECONDS)

    def _until_by_day(self, at: int) -> int | None:
        clock = self.clock
        local = clock.local(at)
        number, second = divmod(local, DAY_SECONDS)
        day = number + EPOCH_ORDINAL
        before, today = self._mask(day - 1), self._mask(day)
        end = _end_of(self._blocked_of(before, today), second)
        if end is None:
            return None
        for _ in range(_DAYS):
            if end < DAY_SECONDS:
                break
            index = bisect_right(self._edges, day) - 1
            if not self.free_week(self._ranges[index]):
                # The stretch has no free time. So its days are excluded completely, the first one from now on.
                if index + 1 == len(self._edges):
                    return NEVER
                day = self._edges[index + 1]
                before, today = self._mask(day - 1), self._mask(day)
            else:
                day, before, today = day + 1, today, self._mask(day + 1)
            end = _end_of(self._blocked_of(before, today), 0) or 0
        left = (day - EPOCH_ORDINAL) * DAY_SECONDS + end - local
        change = clock.section(at)[1]
        if left > _CHANGE and change - at > _CHANGE:
            # Later changes do not move the clock back to a time before these days.
            return clock.first_at(local + left)
        # A change of the clock moves the end of the window, so the time after it is looked at again.
        return min(at + left, change)

    def _mask(self, day: int) -> int:
        """Return the entries that apply to windows that begin on a day, one bit each."""
        found = self._always | self._ranges[bisect_right(self._edges, day) - 1]
        if self._yearly and day > 0:
            today = date.fromordinal(day)
            found |= self._yearly.get((today.month, today.day), 0)
        return found & self._weekly[(day - 1) % 7]

    def _blocked_of(self, before: int, today: int) -> tuple[tuple[int, int], ...]:
        """Return the excluded parts of a day in seconds, ascending and apart from each other.

        Args:
            before: The entries that apply on the day before.
            today: The entries that apply on the day.
        """
        found = self._blocked.get((before, today))
        if found is None:
            parts = []
            for number, entry in enumerate(self._by_day):
                begin, end = entry.window or (0, DAY_SECONDS)
                if begin > end and before >> number & 1:
                    parts.append((0, end))
                if today >> number & 1:
                    parts.append((begin, DAY_SECONDS if begin > end else end))
            found = self._blocked[before, today] = _merged(parts)
        return found


@lru_cache(maxsize=1_024)  # thousands of schedules share few exclusions
def excluded_by(entries: tuple[Exclusion, ...]) -> Excluded:
    """Return the times that some entries exclude, which equal schedules share."""
    return Excluded(entries)


def _bits(numbers: Iterable[int]) -> int:
    return sum(1 << number for number in numbers)


def _merged(parts: list[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    found: list[tuple[int, int]] = []
    for begin, end in sorted(part for part in parts if part[0] < part[1]):
        if found and begin <= found[-1][1]:
            found[-1] = found[-1][0], max(end, found[-1][1])
        else:
            found.append((begin, end))
    return tuple(found)


def _end_of(parts: tuple[tuple[int, int], ...], second: int) -> int | None:
    """Return the end of the part that includes a second of the day, or None if no part does."""
    for begin, end in parts:
        if begin <= second < end:
            return end
    return None
