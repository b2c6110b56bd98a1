"""The trading sessions of exchanges, from the committed table `calendars.json`, which `make calendars` generates.

The package exchange_calendars takes 113 MB of memory. The sessions of several years take 60 kB.
"""

import json
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from importlib.resources import files
from typing import Any
from zoneinfo import ZoneInfo

from financehub_shared.core.errors import ConfigError

#: If the table ends within this many days, the scheduler logs a warning at startup.
WARN_DAYS = 120


class CalendarHorizonError(ConfigError):
    """The committed table does not include the day. An unknown day never counts as open."""


@dataclass(frozen=True, slots=True)
class Calendar:
    """The sessions of one exchange.

    Args:
        name: ISO 10383 market code (`XNYS`).
        opens, closes: Start and end of every session, Unix seconds, ascending. A lunch break divides a day into two.
        first, end: Range that the table covers, Unix seconds; `end` is exclusive.
    """

    name: str
    opens: tuple[int, ...]
    closes: tuple[int, ...]
    first: int
    end: int

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
            raise self._beyond()
        return self.opens[index]

    def _index(self, at: float) -> int:
        if not self.first <= at < self.end:
            raise self._beyond()
        return bisect_right(self.opens, at) - 1

    def _beyond(self) -> CalendarHorizonError:
        first, end = (datetime.fromtimestamp(edge, UTC).date() for edge in (self.first, self.end))
        return CalendarHorizonError(
            f"calendar {self.name} covers only the days from {first} to before {end}; "
            "install a newer scheduler or run `make calendars`"
        )


@cache
def _table() -> Mapping[str, Any]:
    table: Mapping[str, Any] = json.loads(files(__package__).joinpath("calendars.json").read_text(encoding="utf-8"))
    return table


def exchanges() -> list[str]:
    """Return the names of the exchanges in the table."""
    return sorted(_table()["exchanges"])


@cache
def load_calendar(name: str) -> Calendar:
    """Return the sessions of one exchange.

    Raises:
        ValueError: The exchange is not in the table.
    """
    table = _table()
    if name not in table["exchanges"]:
        raise ValueError(f"{name!r} is not a known exchange; write one of {', '.join(exchanges())}")
    entry = table["exchanges"][name]
    zone = ZoneInfo(entry["zone"])
    first, last = date.fromisoformat(table["first"]), date.fromisoformat(table["last"])
    holidays, special = set(entry["holidays"]), entry["special"]
    sessions: list[tuple[int, int]] = []
    for number in range((last - first).days + 1):
        day = first + timedelta(days=number)
        hours = special.get(day.isoformat()) or (
            entry["hours"] if day.weekday() < 5 and day.isoformat() not in holidays else ()
        )
        sessions.extend((_timestamp(day, opening, zone), _timestamp(day, close, zone)) for opening, close in hours)
    midnight, beyond = (
        int(datetime.combine(day, time(), zone).timestamp()) for day in (first, last + timedelta(days=1))
    )
    return Calendar(name, tuple(s[0] for s in sessions), tuple(s[1] for s in sessions), midnight, beyond)


def _timestamp(day: date, clock: str, zone: ZoneInfo) -> int:
    return int(datetime.combine(day, time.fromisoformat(clock), zone).timestamp())
