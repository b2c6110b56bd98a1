"""The days of a cron expression: how its day of month, month and weekday select the days of a month."""

from dataclasses import dataclass, field

#: Numbers of the days in Sunday-first weeks, as cron counts them.
SATURDAY, SUNDAY = 6, 0
#: Possible lengths of the months, January first.
LENGTHS = ((31,), (28, 29), (31,), (30,), (31,), (30,), (31,), (31,), (30,), (31,), (30,), (31,))
#: 1970-01-01 as an ordinal of Python's dates.
EPOCH_ORDINAL = 719_163


@dataclass(frozen=True, slots=True)
class DaysOfMonth:
    """The field day of month.

    Args:
        days: Days by number.
        from_last: Days by their distance from the last day: 0 for `L`, 2 for `L-2`.
        nearest: Days whose nearest weekday, Monday to Friday, is meant: 15 for `15W`.
        nearest_from_last: The same, by the distance from the last day: 0 for `LW`.
    """

    days: frozenset[int] = frozenset()
    from_last: frozenset[int] = frozenset()
    nearest: frozenset[int] = frozenset()
    nearest_from_last: frozenset[int] = frozenset()

    def select(self, length: int, first_weekday: int) -> set[int]:
        """Return the days of a month with `length` days that begins on `first_weekday` (0 for Sunday)."""
        found = {day for day in self.days if day <= length}
        found |= {length - before for before in self.from_last if before < length}
        targets = {day for day in self.nearest if day <= length}
        targets |= {length - before for before in self.nearest_from_last if before < length}
        return found | {_nearest(day, length, first_weekday) for day in targets}


def _nearest(day: int, length: int, first_weekday: int) -> int:
    """Return the day from Monday to Friday that is nearest to `day` and in the same month."""
    weekday = (first_weekday + day - 1) % 7
    if weekday == SATURDAY:
        return day - 1 if day > 1 else day + 2
    if weekday == SUNDAY:
        return day + 1 if day < length else day - 2
    return day


@dataclass(frozen=True, slots=True)
class Weekdays:
    """The field weekday.

    Args:
        days: Weekdays, 0 for Sunday.
        nth: Pairs of a weekday and its number in the month: (5, 2) for `FRI#2`.
        last: Weekdays whose last one in the month is meant: 5 for `5L`.
    """

    days: frozenset[int] = frozenset()
    nth: frozenset[tuple[int, int]] = frozenset()
    last: frozenset[int] = frozenset()

    def select(self, length: int, first_weekday: int) -> set[int]:
        """Return the days of a month with `length` days that begins on `first_weekday` (0 for Sunday)."""
        found = set()
        for day in range(1, length + 1):
            weekday = (first_weekday + day - 1) % 7
            if (
                weekday in self.days
                or (weekday, (day + 6) // 7) in self.nth
                or (weekday in self.last and day + 7 > length)
            ):
                found.add(day)
        return found


@dataclass(frozen=True, slots=True)
class CronDays:
    """The days of a cron expression.

    Args:
        days_of_month, weekdays: The two fields for days.
        months: Months, 1 for January.
        both: Whether a day has to match both fields for days, instead of one of them.
    """

    days_of_month: DaysOfMonth
    weekdays: Weekdays
    months: frozenset[int]
    both: bool
    _tables: dict[tuple[int, int], tuple[int, ...]] = field(default_factory=dict, compare=False, repr=False)

    def table(self, length: int, first_weekday: int) -> tuple[int, ...]:
        """Return the next matching day of a month for each day, and 0 if there is none.

        Args:
            length: Number of days of the month.
            first_weekday: Weekday of its first day, 0 for Sunday.
        """
        found = self._tables.get((length, first_weekday))
        if found is None:
            by_day = self.days_of_month.select(length, first_weekday)
            by_weekday = self.weekdays.select(length, first_weekday)
            days = by_day & by_weekday if self.both else by_day | by_weekday
            found = tuple(min((day for day in days if day >= place), default=0) for place in range(33))
            self._tables[length, first_weekday] = found
        return found

    def possible_weekdays(self) -> frozenset[int]:
        """Return the weekdays on which a day may match, 0 for Sunday."""
        if not self.both:
            return frozenset(range(7))
        return self.weekdays.days | {day for day, _ in self.weekdays.nth} | self.weekdays.last

    def are_all(self) -> bool:
        """Whether every day of the months matches, such as with `1-31` or `MON` for the two fields."""
        return all(
            self.table(length, first_weekday)[1 : length + 1] == tuple(range(1, length + 1))
            for month in self.months
            for length in LENGTHS[month - 1]
            for first_weekday in range(7)
        )

    def exist(self) -> bool:
        """Whether any day of any year matches. If one does, then one of the next 50 years has such a day."""
        return any(
            self.table(length, first_weekday)[1]
            for month in self.months
            for length in LENGTHS[month - 1]
            for first_weekday in range(7)
        )
