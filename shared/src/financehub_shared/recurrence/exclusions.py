"""The entries of `spec.exclude`: times at which nothing is due, although the lines of the schedule name them.

All fields of an entry are read by the wall clock of the schedule's time zone, and have to apply together.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from financehub_shared.core.durations import DAY_SECONDS, HOUR_SECONDS, MINUTE_SECONDS
from financehub_shared.recurrence.calendar import Calendar, exchanges_with_holidays, load_calendar
from financehub_shared.recurrence.cron_days import EPOCH_ORDINAL
from financehub_shared.recurrence.zone_changes import ZoneClock, zone_clock

#: Names of the weekdays, in the order of Python's `date.weekday`.
WEEKDAYS = ("MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN")
_CLOCK = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_YEARLY = re.compile(r"[0-9]{2}-[0-9]{2}")
_FIELDS = ("weekdays", "from", "to", "dates", "holidays")


@dataclass(frozen=True, slots=True)
class Exclusion:
    """One entry of `spec.exclude`.

    Args:
        clock: Clock of the schedule's time zone.
        weekdays: Excluded weekdays, 0 for Monday; None for all.
        window: Beginning and end of the excluded time of day in seconds; None for the whole day. If the beginning is
            later, the window goes over midnight, and the other fields mean the day on which it begins.
        yearly: Excluded months and days of every year.
        ranges: First and last day of excluded ranges of dates, as ordinals. If `yearly` and `ranges` are empty, all
            dates are excluded.
        holidays: Calendar whose holidays are excluded; None for all days.
    """

    clock: ZoneClock
    weekdays: frozenset[int] | None = None
    window: tuple[int, int] | None = None
    yearly: frozenset[tuple[int, int]] = frozenset()
    ranges: tuple[tuple[int, int], ...] = ()
    holidays: Calendar | None = None

    def until(self, at: int) -> int | None:
        """Return a later instant until which nothing is due, or None if `at` is not excluded.

        Args:
            at: The instant, Unix seconds.

        Raises:
            CalendarHorizonError: The calendar of the holidays does not cover the day.
        """
        local = self.clock.local(at)
        number, second = divmod(local, DAY_SECONDS)
        day, end = number + EPOCH_ORDINAL, DAY_SECONDS
        before = 0
        if self.window is not None:
            begin, end = self.window
            if begin > end:
                if second < end:
                    before = 1  # the window began on the day before
                elif second < begin:
                    return None
                else:
                    end += DAY_SECONDS
            elif not begin <= second < end:
                return None
        if not self._applies(day - before):
            return None
        left = end - second
        if self.holidays is not None:
            exchange = datetime.fromtimestamp(at, self.holidays.zone)
            if not self.holidays.is_holiday(exchange.toordinal() - before):
                return None
            # At both midnights, another day of the exchange may count.
            left = min(left, DAY_SECONDS - second, DAY_SECONDS - _second_of(exchange))
        # A change of the clock moves the end of the window, so the time after it is looked at again.
        return min(at + left, self._change(at))

    def _applies(self, day: int) -> bool:
        if self.weekdays is not None and (day - 1) % 7 not in self.weekdays:
            return False
        if not self.yearly and not self.ranges:
            return True
        if any(first <= day <= last for first, last in self.ranges):
            return True
        if not self.yearly:
            return False
        found = date.fromordinal(day)
        return (found.month, found.day) in self.yearly

    def _change(self, at: int) -> int:
        changes = [self.clock.section(at)[1]]
        if self.holidays is not None:
            changes.append(zone_clock(self.holidays.zone).section(at)[1])
        return min(changes)


def _second_of(moment: datetime) -> int:
    return moment.hour * HOUR_SECONDS + moment.minute * MINUTE_SECONDS + moment.second


def parse_exclusion(entry: Mapping[str, Any], zone: ZoneInfo) -> Exclusion:
    """Parse one entry of `spec.exclude`.

    Args:
        entry: The entry, with the field names of the spec.
        zone: Time zone of the schedule.

    Raises:
        ValueError: The entry is invalid. The message says what was read, what is wrong and what to write.
    """
    given = {name: value for name, value in entry.items() if value is not None}
    unknown = sorted(set(given) - set(_FIELDS))
    if unknown:
        raise ValueError(f"exclude: {unknown[0]!r} is unknown; write weekdays, from and to, dates, or holidays")
    if not given:
        raise ValueError("exclude: an entry is empty; write at least one of weekdays, from and to, dates, holidays")
    for name in ("weekdays", "dates"):
        if not isinstance(given.get(name, []), list | tuple):
            raise ValueError(f"exclude.{name}: {given[name]!r} is not a list; write it in brackets")  # noqa: TRY004 — of a spec
    yearly, ranges = _parse_dates(given.get("dates", ()))
    return Exclusion(
        clock=zone_clock(zone),
        weekdays=frozenset(_weekday(name) for name in given["weekdays"]) if "weekdays" in given else None,
        window=_parse_window(given.get("from"), given.get("to")),
        yearly=frozenset(yearly),
        ranges=tuple(ranges),
        holidays=_parse_holidays(str(given["holidays"])) if "holidays" in given else None,
    )


def _weekday(name: object) -> int:
    if name not in WEEKDAYS:
        raise ValueError(f"exclude.weekdays: {name!r} is not a weekday; write {', '.join(WEEKDAYS)}")
    return WEEKDAYS.index(str(name))


def _parse_window(begin: object, end: object) -> tuple[int, int] | None:
    if begin is None and end is None:
        return None
    if begin is None or end is None:
        given, missing = ("from", "to") if end is None else ("to", "from")
        raise ValueError(f"exclude: {given} needs {missing}; write both, or neither for the whole day")
    if begin == end:
        raise ValueError(f"exclude: from and to are both {begin!r}; leave both out to exclude the whole day")
    return _clock(begin), _clock(end)


def _clock(text: object) -> int:
    match = _CLOCK.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise ValueError(f'exclude: {text!r} is not a time of day; write hours and minutes from "00:00" to "23:59"')
    return int(match[1]) * HOUR_SECONDS + int(match[2]) * MINUTE_SECONDS


def _parse_dates(texts: Sequence[Any]) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    yearly, ranges = [], []
    for text in texts:
        try:
            if _YEARLY.fullmatch(text):
                # 2000 is a leap year, so 02-29 is a day.
                day = date.fromisoformat(f"2000-{text}")
                yearly.append((day.month, day.day))
            else:
                days = [_date(part) for part in text.split("/")]
                first, last = days if len(days) == 2 else (days[0], *days)
                ranges.append((first.toordinal(), last.toordinal()))
        except (ValueError, TypeError):
            raise ValueError(
                f'exclude.dates: {text!r} is not a date; write it like "2026-12-24", "12-25" or '
                '"2026-12-24/2027-01-02", with days that exist'
            ) from None
        if ranges and ranges[-1][0] > ranges[-1][1]:
            raise ValueError(f"exclude.dates: {text!r} ends before it begins; swap the two dates")
    return yearly, ranges


def _date(text: str) -> date:
    # `date.fromisoformat` also accepts other forms, such as 20261224 and 2026-W52-4.
    if not _DATE.fullmatch(text):
        raise ValueError(text)
    return date.fromisoformat(text)


def _parse_holidays(name: str) -> Calendar:
    known = exchanges_with_holidays()
    if name not in known:
        raise ValueError(
            f"exclude.holidays: {name!r} is not an exchange with holidays; write one of {', '.join(known)}"
        )
    return load_calendar(name)
