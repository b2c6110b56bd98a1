"""Random texts of schedules, dates and specs: some valid, some with a mistake, from a seeded generator."""

from collections.abc import Callable
from random import Random
from typing import Any

from support.spec_case import NEWS, OTHER, without

_MONTHS = ("JAN", "feb", "MAR", "Apr", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_WEEKDAYS = ("SUN", "mon", "TUE", "Wed", "THU", "FRI", "SAT")
_ALIASES = ("@hourly", "@daily", "@midnight", "@weekly", "@monthly", "@yearly", "@annually", "@open", "@close")
#: Characters of which mistakes consist. The last ones are a long dash, a wide digit, a special space and a long s.
_MISTAKES = "*/-,#LWlw0123456789@ \t?.:+_ADFMSadhms–０\u00a0ſ"
_BLANKS = (" ", " ", " ", "  ", "\t", "\n", "\r", "\f", "\x0b")


class RandomSpecs:
    """A source of texts and specs.

    Args:
        seed: The same seed yields the same texts.
    """

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)

    def text(self) -> str:
        """Return a text of a schedule. About a half of them are valid."""
        kinds: tuple[Callable[[], str], ...] = (self._cron, self._cron, self._rare_days, self._interval, self._alias)
        text = self._random.choice(kinds)()
        while self._random.random() < 0.15:
            place = self._random.randint(0, len(text))
            text = text[:place] + self._random.choice(_MISTAKES) + text[place + self._random.randint(0, 1) :]
        return text[:256] or "*"

    def date(self) -> str:
        """Return a text for `exclude.dates`."""
        text = self._random.choice((self._day, self._full_date, lambda: f"{self._full_date()}/{self._full_date()}"))()
        if self._random.random() < 0.1:
            place = self._random.randint(0, len(text))
            text = text[:place] + self._random.choice("0123456789-/ ") + text[place + 1 :]
        return text[:21]

    def spec(self) -> dict[str, Any]:
        """Return a spec whose fields may contradict one another."""
        choice, maybe = self._random.choice, self._maybe
        spec = without(choice((NEWS, OTHER)), "schedule")
        spec |= maybe(0.9, "schedule", choice((self._cron, self._rare_days, self._alias)))
        spec |= maybe(0.1, "schedules", lambda: [self._cron(), choice((self._rare_days, self._alias))()])
        spec |= maybe(0.1, "after", lambda: choice(("demo", "other", "Demo")))
        spec |= maybe(0.6, "dayMatch", lambda: choice(("Any", "All", "All")))
        spec |= maybe(0.4, "queue", lambda: choice(("high", "medium", "low", "q")))
        spec |= maybe(0.7, "calendar", lambda: choice(("XNYS", "FX", "XKRX", "XBOM", "XMARS")))
        spec |= maybe(0.3, "calendarOffsetSeconds", lambda: choice((0, 900, -900, 60, -60, 86_401)))
        spec |= maybe(0.3, "startTime", lambda: f"{self._full_date()}T00:00:00Z")
        spec |= maybe(0.3, "endTime", lambda: f"{self._full_date()}T00:00:00+01:00")
        return spec | maybe(0.4, "exclude", lambda: [self._exclusion() for _ in range(self._random.randint(0, 2))])

    def _exclusion(self) -> dict[str, Any]:
        choice, maybe = self._random.choice, self._maybe
        clocks = ("00:00", "22:00", "23:59", "06:30", "24:00", "6:30", None)
        entry = maybe(0.4, "weekdays", lambda: choice((["SAT", "SUN"], ["MON"], [], ["Mon"], None)))
        entry |= maybe(0.5, "from", lambda: choice(clocks)) | maybe(0.5, "to", lambda: choice(clocks))
        entry |= maybe(0.3, "dates", lambda: [self.date() for _ in range(self._random.randint(0, 2))])
        return entry | maybe(0.2, "holidays", lambda: choice(("XNYS", "FX", "US")))

    def _maybe(self, share: float, name: str, value: Callable[[], Any]) -> dict[str, Any]:
        return {name: value()} if self._random.random() < share else {}

    def _cron(self) -> str:
        number = self._number
        fields = [
            *([self._field(lambda: number(0, 59))] if self._random.random() < 0.3 else []),
            self._field(lambda: number(0, 59)),
            self._field(lambda: number(0, 23)),
            self._field(lambda: number(1, 31), self._special_day),
            self._field(lambda: self._random.choice((number(1, 12), self._random.choice(_MONTHS)))),
            self._field(self._weekday, self._special_weekday),
        ]
        return self._joined(fields)

    def _rare_days(self) -> str:
        """Return an expression with days that few months have."""
        days = ("29", "30", "31", "30", "31")
        special_days = ("L-30", "L-29", "L-28", "31W", "30W", "L-30W")
        months = ("2", "FEB", "4", "jun", "9", "11")
        choice = self._random.choice
        day = self._field(
            lambda: choice(days) if self._random.random() < 0.9 else self._number(1, 31),
            lambda: choice(special_days),
            limit=35,
        )
        month = self._field(lambda: choice(months) if self._random.random() < 0.8 else self._number(1, 12), limit=14)
        return self._joined(["0", "0", day, month, choice(("*", "*", "*/2", "MON", "*,1", "FRI#2", "5L"))])

    def _joined(self, fields: list[str]) -> str:
        blank = self._random.choice(_BLANKS) if self._random.random() < 0.05 else " "
        return blank.join(fields)

    def _field(self, value: Callable[[], str], special: Callable[[], str] | None = None, limit: int = 12) -> str:
        entries = []
        for _ in range(self._random.choice((1, 1, 1, 2))):
            entry = self._random.choice(("*", value(), value(), f"{value()}-{value()}", f"{value()}-{value()}"))
            if special is not None and self._random.random() < 0.3:
                entry = special()
            elif self._random.random() < 0.3:
                entry += f"/{self._random.randint(1, limit) if self._random.random() < 0.95 else 0}"
            entries.append(entry)
        return ",".join(entries)

    def _number(self, first: int, last: int) -> str:
        number = self._random.randint(first, last) if self._random.random() < 0.97 else last + 1
        return f"{'0' if self._random.random() < 0.1 else ''}{number}"

    def _special_day(self) -> str:
        number = self._number(1, 31)
        return self._random.choice(("L", "LW", f"L-{number}", f"{number}W", f"L-{number}W", f"{number}L"))

    def _weekday(self) -> str:
        return self._random.choice((self._number(0, 7), self._random.choice(_WEEKDAYS)))

    def _special_weekday(self) -> str:
        day, number = self._weekday(), self._random.randint(1, 5) if self._random.random() < 0.95 else 6
        return self._random.choice((f"{day}L", f"{day}#{number}", f"{day}#{number}"))

    def _interval(self) -> str:
        text = f"@every {self._duration()}"
        return f"{text} offset {self._duration()}" if self._random.random() < 0.3 else text

    def _duration(self) -> str:
        units = [unit for unit in "dhms" if self._random.random() < 0.4] or ["m"]
        if self._random.random() < 0.05:
            self._random.shuffle(units)
        return "".join(
            f"{self._random.choice((0, 1, 2, 3, 5, 7, 30, 90, 366, 8_784, 10**9, 10**20))}{unit}" for unit in units
        )

    def _alias(self) -> str:
        return self._random.choice(_ALIASES)

    def _day(self) -> str:
        return f"{self._random.randint(0, 13):02}-{self._random.choice((0, 1, 15, 28, 29, 30, 31, 32)):02}"

    def _full_date(self) -> str:
        year = self._random.choice((999, 1000, 1900, 2000, 2024, 2026, 2027, 2100, 2400, 2999, 3000))
        return f"{year:04}-{self._random.randint(1, 12):02}-{self._random.choice((1, 15, 28, 29, 30, 31)):02}"
