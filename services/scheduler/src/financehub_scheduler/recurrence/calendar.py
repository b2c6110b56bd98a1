"""When exchanges are open, from a table that is committed (`calendars.json`; made by `make calendars`).

exchange_calendars itself costs 113 MB of memory; its answer for some years is 60 kB.
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

#: Below this many days of known future, the scheduler warns at start.
WARN_DAYS = 120


class CalendarHorizonError(ConfigError):
    """A question about a day that the committed table does not know; it is never answered with 'open'."""


@dataclass(frozen=True, slots=True)
class Calendar:
    """The sessions of one exchange.

    Args:
        name: ISO 10383 market code (`XNYS`).
        opens, closes: Unix seconds, ascending, of every continuous stretch of trading (a lunch break parts a day).
        first, end: Unix seconds from which and before which the table knows everything.
    """

    name: str
    opens: tuple[int, ...]
    closes: tuple[int, ...]
    first: int
    end: int

    def is_open(self, at: float) -> bool:
        """Whether the exchange trades at `at`: from the open, inclusive, to the close, exclusive.

        Raises:
            CalendarHorizonError: the table does not reach `at`.
        """
        index = self._index(at)
        return index >= 0 and at < self.closes[index]

    def next_open(self, at: float) -> int:
        """The first open after `at`, Unix seconds.

        Raises:
            CalendarHorizonError: it lies beyond the table.
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
            f"calendar {self.name} is known from {first} to before {end} only; "
            "install a newer scheduler or run `make calendars`"
        )


@cache
def _table() -> Mapping[str, Any]:
    table: Mapping[str, Any] = json.loads(files(__package__).joinpath("calendars.json").read_text(encoding="utf-8"))
    return table


def exchanges() -> list[str]:
    """Names of the known exchanges."""
    return sorted(_table()["exchanges"])


@cache
def load_calendar(name: str) -> Calendar:
    """Sessions of one exchange.

    Raises:
        ValueError: the exchange is not in the table.
    """
    table = _table()
    if name not in table["exchanges"]:
        raise ValueError(f"{name!r} is not a known exchange; known are {', '.join(exchanges())}")
    entry = table["exchanges"][name]
    zone = ZoneInfo(entry["zone"])
    first, last = date.fromisoformat(table["first"]), date.fromisoformat(table["last"])
    holidays, special = set(entry["holidays"]), entry["special"]
    stretches: list[tuple[int, int]] = []
    for number in range((last - first).days + 1):
        day = first + timedelta(days=number)
        hours = special.get(day.isoformat()) or (
            entry["hours"] if day.weekday() < 5 and day.isoformat() not in holidays else ()
        )
        stretches.extend((_at(day, begin, zone), _at(day, close, zone)) for begin, close in hours)
    midnight, beyond = (
        int(datetime.combine(day, time(), zone).timestamp()) for day in (first, last + timedelta(days=1))
    )
    return Calendar(name, tuple(s[0] for s in stretches), tuple(s[1] for s in stretches), midnight, beyond)


def _at(day: date, clock: str, zone: ZoneInfo) -> int:
    return int(datetime.combine(day, time.fromisoformat(clock), zone).timestamp())
