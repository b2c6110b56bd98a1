"""The trading sessions of calendars, from the committed table `calendars.json`, which `make calendars` generates.

The package exchange_calendars takes 113 MB of memory. The sessions of several years take 100 kB.
"""

import json
from bisect import bisect_right
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from functools import cache
from importlib.resources import files
from typing import Any
from zoneinfo import ZoneInfo

from financehub_shared.core.errors import ConfigError

#: If the table ends within this many days, the scheduler logs a warning at startup.
WARN_DAYS = 120


class CalendarHorizonError(ConfigError):
    """The committed table does not include the day. An unknown day never counts as open."""


class DistantDueTimeError(CalendarHorizonError):
    """The search for a due time has ended at its limit of steps, so it is unknown when the schedule is due.

    Args:
        message: What has been found out, and what to write.
        searched: Time until which nothing is due, Unix seconds.
    """

    def __init__(self, message: str, searched: float) -> None:
        super().__init__(message)
        self.searched = searched


@dataclass(frozen=True, slots=True, eq=False)
class Calendar:
    """The sessions of one calendar.

    Args:
        name: ISO 10383 market code (`XNYS`), or `FX`.
        zone: Time zone of the exchange.
        opens, closes: Start and end of every session, Unix seconds, ascending. A lunch break divides a day into two.
        day_opens, day_closes: First opening and last closing of every session day, Unix seconds, ascending.
        first, end: Range that the table covers, Unix seconds; `end` is exclusive.
        first_day, last_day: The same range as days of the exchange, both inclusive.
        holidays: Days from Monday to Friday without a session, as ordinals.
        moved_by: Seconds by which the sessions are later than those of the exchange (`calendarOffsetSeconds`).
    """

    name: str
    zone: ZoneInfo
    opens: tuple[int, ...]
    closes: tuple[int, ...]
    day_opens: tuple[int, ...]
    day_closes: tuple[int, ...]
    first: int
    end: int
    first_day: date
    last_day: date
    holidays: frozenset[int]
    moved_by: int = 0

    def __reduce__(self) -> tuple[Callable[[str, int], "Calendar"], tuple[str, int]]:
        # A copy in another process is the calendar of that process, which all of its schedules share.
        return load_calendar, (self.name, self.moved_by)

    def is_open(self, at: float) -> bool:
        """Whether the exchange is open at `at`. The opening time is inclusive and the closing time exclusive.

        Raises:
            CalendarHorizonError: The table does not cover `at`.
        """
        index = self._index(at)
        return index >= 0 and at < self.closes[index]

    def next_open(self, at: float) -> int:
        """Return the first opening time after `at`, Unix seconds.

        Raises:
            CalendarHorizonError: The table does not cover it.
        """
        index = self._index(at) + 1
        if index == len(self.opens):
            raise self.beyond()
        return self.opens[index]

    def is_holiday(self, day: int) -> bool:
        """Whether the exchange has no session on a day from Monday to Friday.

        Args:
            day: The day in the zone of the exchange, as an ordinal.

        Raises:
            CalendarHorizonError: The table does not cover the day.
        """
        if not self.first_day.toordinal() <= day <= self.last_day.toordinal():
            raise self.beyond()
        return day in self.holidays

    def beyond(self) -> CalendarHorizonError:
        """Return the error for a time that the table does not cover."""
        return CalendarHorizonError(
            f"calendar {self.name} covers only the days from {self.first_day} to {self.last_day}; use times within "
            "these days, or, until a release with more days is installed, remove the calendar and exclude the "
            "holidays as dates"
        )

    def _index(self, at: float) -> int:
        if not self.first <= at < self.end:
            raise self.beyond()
        return bisect_right(self.opens, at) - 1


@cache
def _table() -> Mapping[str, Any]:
    table: Mapping[str, Any] = json.loads(files(__package__).joinpath("calendars.json").read_text(encoding="utf-8"))
    return table


def exchanges() -> list[str]:
    """Return the names of the calendars in the table."""
    return sorted(_table()["exchanges"])


def exchanges_with_holidays() -> list[str]:
    """Return the names of the calendars that have holidays."""
    return [name for name in exchanges() if _table()["exchanges"][name]["holidays"]]


@cache
def load_calendar(name: str, offset: int = 0) -> Calendar:
    """Return the sessions of one calendar.

    Args:
        name: The calendar, such as XNYS.
        offset: Seconds by which its sessions are moved.

    Raises:
        ValueError: The calendar is not in the table.
    """
    if name not in _table()["exchanges"]:
        raise ValueError(f"{name!r} is not a known exchange; write one of {', '.join(exchanges())}")
    if offset:
        return _moved(load_calendar(name), offset)
    table = _table()
    entry = table["exchanges"][name]
    zone = ZoneInfo(entry["zone"])
    first, last = date.fromisoformat(table["first"]), date.fromisoformat(entry.get("last", table["last"]))
    days = _weeks(entry["week"], first, last) if "week" in entry else _days(entry, first, last)
    sessions = [[(_timestamp(begin, zone), _timestamp(end, zone)) for begin, end in day] for day in days]
    midnight, beyond = (_timestamp(datetime.combine(day, time()), zone) for day in (first, last + timedelta(days=1)))
    return Calendar(
        name=name,
        zone=zone,
        opens=tuple(begin for day in sessions for begin, _ in day),
        closes=tuple(end for day in sessions for _, end in day),
        day_opens=tuple(day[0][0] for day in sessions),
        day_closes=tuple(day[-1][1] for day in sessions),
        first=midnight,
        end=beyond,
        first_day=first,
        last_day=last,
        holidays=frozenset(date.fromisoformat(day).toordinal() for day in entry["holidays"]),
    )


#: The local beginning and end of each session of a day.
_Day = list[tuple[datetime, datetime]]


def _days(entry: Mapping[str, Any], first: date, last: date) -> list[_Day]:
    """Return the sessions of each day of an exchange that has some."""
    holidays, special = set(entry["holidays"]), entry["special"]
    found = []
    for number in range((last - first).days + 1):
        day = first + timedelta(days=number)
        hours = special.get(day.isoformat()) or (
            entry["hours"] if day.weekday() < 5 and day.isoformat() not in holidays else ()
        )
        if hours:
            found.append([(_at(day, begin), _at(day, end)) for begin, end in hours])
    return found


def _weeks(week: Mapping[str, str], first: date, last: date) -> list[_Day]:
    """Return the sessions of a market that is open without a break from Sunday to Friday."""
    found = []
    # The first session begins before the first day of the table.
    sunday = first - timedelta(days=first.isoweekday() % 7)
    while sunday <= last:
        found.append([(_at(sunday, week["sunday"]), _at(sunday + timedelta(days=5), week["friday"]))])
        sunday += timedelta(weeks=1)
    return found


def _moved(calendar: Calendar, offset: int) -> Calendar:
    opens, closes, day_opens, day_closes = (
        tuple(edge + offset for edge in edges)
        for edges in (calendar.opens, calendar.closes, calendar.day_opens, calendar.day_closes)
    )
    return replace(
        calendar,
        opens=opens,
        closes=closes,
        day_opens=day_opens,
        day_closes=day_closes,
        first=calendar.first + offset,
        end=calendar.end + offset,
        moved_by=offset,
    )


def _at(day: date, clock: str) -> datetime:
    return datetime.combine(day, time.fromisoformat(clock))


def _timestamp(local: datetime, zone: ZoneInfo) -> int:
    return int(local.replace(tzinfo=zone).timestamp())
