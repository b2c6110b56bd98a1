"""Cron expressions in a time zone.

The due times of an expression are defined without the instant of the question, so every scheduler finds the same ones:

- If the minute or the hour begins with `*`, an instant is due if its local time matches. The expression follows
  elapsed time: both passes of a repeated hour count, and a skipped hour adds nothing.
- Otherwise, each matching local time is due once: the first time that the clock shows it, or at the end of the gap if
  the clock skips it.
"""

from datetime import date
from zoneinfo import ZoneInfo

from financehub_shared.core.durations import DAY_SECONDS, HOUR_SECONDS, MINUTE_SECONDS
from financehub_shared.recurrence.cron_days import EPOCH_ORDINAL, LENGTHS
from financehub_shared.recurrence.cron_fields import CronFields
from financehub_shared.recurrence.zone_changes import ZoneClock, zone_clock

#: Months that are searched: 50 years. The days of an expression are at most 40 years apart, such as those of a
#: 29 February on a Sunday around the year 2100.
_MONTHS = 12 * 50
_LAST_ORDINAL = date.max.toordinal()


class Cron:
    """A cron expression in a time zone.

    Args:
        text: The expression as written.
        fields: Its parsed fields. They match at least one day.
        zone: The time zone of its local times.

    Attributes:
        elapsed: Whether the expression follows elapsed time, so that it is due at matching local times only.
    """

    __slots__ = ("_clock", "_days", "_first", "_hours", "_minutes", "_seconds", "_weekdays", "elapsed", "text")

    def __init__(self, text: str, fields: CronFields, zone: ZoneInfo) -> None:
        self.text = text
        self._clock = zone_clock(zone)
        self._days = fields.days
        self._weekdays = fields.days.possible_weekdays()
        self.elapsed = fields.elapsed
        self._seconds, self._minutes = _following(fields.seconds, 60), _following(fields.minutes, 60)
        self._hours = _following(fields.hours, 24)
        self._first = self._hours[0] * HOUR_SECONDS + self._minutes[0] * MINUTE_SECONDS + self._seconds[0]

    def changed(self, zone: ZoneInfo, *, whole_day: bool = False) -> "Cron":
        """Return the same expression in a zone, or one for all times of its days.

        Args:
            zone: The time zone.
            whole_day: Whether all times of the days match.
        """
        seconds, minutes, hours = (
            frozenset(range(len(values) - 1)) if whole_day else frozenset(values) - {-1}
            for values in (self._seconds, self._minutes, self._hours)
        )
        return Cron(self.text, CronFields(seconds, minutes, hours, self._days, whole_day or self.elapsed), zone)

    def next_after(self, time: float) -> int | None:
        """Return the first due time after `time`, or None if there is none for 50 years."""
        at, clock = int(time // 1), self._clock
        if not self.elapsed:
            local = self._next_local(clock.latest(at) + 1)
            return None if local is None else clock.first_at(local)
        at += 1
        while True:
            offset, end = clock.section(at)
            local = self._next_local(at + offset)
            if local is None:
                return None
            if local - offset < end:
                return local - offset
            # A change moves the clock by less than two days. Unless the change is near, all local times until two days
            # before `local` have been searched, although the offset is another one by then.
            at = max(end, local - 2 * DAY_SECONDS) if end - at > 2 * DAY_SECONDS else end

    @property
    def clock(self) -> ZoneClock:
        """The clock of the expression's zone."""
        return self._clock

    def is_due_on(self, weekday: int, begin: int, end: int) -> bool:
        """Whether a local time in a part of a weekday may match, whatever the date is.

        Args:
            weekday: The weekday, 0 for Monday.
            begin: Beginning of the part in seconds of the day.
            end: End of the part, exclusive.
        """
        return (weekday + 1) % 7 in self._weekdays and 0 <= self._next_second(begin) < end

    def _next_local(self, local: int) -> int | None:
        """Return the first local time that matches, beginning with `local`, or None if there is none for 50 years."""
        number, second = divmod(local, DAY_SECONDS)
        ordinal = number + EPOCH_ORDINAL
        if ordinal < 1:
            ordinal, second = 1, 0
        if ordinal > _LAST_ORDINAL:
            return None
        day = date.fromordinal(ordinal)
        if self._next_day(day.year, day.month, day.day, 1) == ordinal:
            found = self._next_second(second)
            if found >= 0:
                return (ordinal - EPOCH_ORDINAL) * DAY_SECONDS + found
        next_day = self._next_day(day.year, day.month, day.day + 1, _MONTHS)
        return None if next_day is None else (next_day - EPOCH_ORDINAL) * DAY_SECONDS + self._first

    def _next_second(self, second: int) -> int:
        """Return the first second of a day that matches, beginning with `second`, or -1 if there is none."""
        hour, rest = divmod(second, HOUR_SECONDS)
        minute, second = divmod(rest, MINUTE_SECONDS)
        if self._hours[hour] == hour:
            if self._minutes[minute] == minute and (found := self._seconds[second]) >= 0:
                return hour * HOUR_SECONDS + minute * MINUTE_SECONDS + found
            if (found := self._minutes[minute + 1]) >= 0:
                return hour * HOUR_SECONDS + found * MINUTE_SECONDS + self._seconds[0]
        if (found := self._hours[hour + 1]) >= 0:
            return found * HOUR_SECONDS + self._minutes[0] * MINUTE_SECONDS + self._seconds[0]
        return -1

    def _next_day(self, year: int, month: int, day: int, months: int) -> int | None:
        """Return the first day that matches as an ordinal, beginning with the given day, or None if there is none.

        Args:
            year: Year of the day.
            month: Month of the day.
            day: Day of the month; it may be one more than the month has.
            months: Number of months to search.
        """
        for _ in range(months):
            if month in self._days.months:
                first = date(year, month, 1)
                length = LENGTHS[month - 1][-1]
                if month == 2 and (year % 4 or (year % 100 == 0 and year % 400)):
                    length = 28
                # Cron counts weekdays from Sunday.
                found = self._days.table(length, (first.weekday() + 1) % 7)[day]
                if found:
                    return first.toordinal() + found - 1
            day = 1
            month += 1
            if month > 12:
                year, month = year + 1, 1
                if year > date.max.year:
                    return None
        return None


def _following(values: frozenset[int], size: int) -> tuple[int, ...]:
    """Return the next of the values for each number from 0 to `size`, and -1 if there is none."""
    return tuple(min((value for value in values if value >= place), default=-1) for place in range(size + 1))
