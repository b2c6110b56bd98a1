"""Reads rows of daily bars. A damaged row does not affect the other rows. Pure."""

import math
from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from operator import lt, mul
from typing import Any

from financehub_shared.core.days import iso_day
from financehub_shared.core.errors import MalformedError
from financehub_shared.core.models import Bars
from financehub_shared.providers.transport import parse

#: Names of the columns of a bar, in the order in which `BarRows` keeps them.
COLUMNS = ("open", "high", "low", "close", "volume")
#: Largest relative difference of prices at which two rows of one day count as the same bar, rounded or corrected.
SIMILAR = 0.01
#: A row that is more than this many days before the first requested day has a time in another unit, or a wrong one.
EARLY_DAYS = 31
#: `float` also accepts underscores, spaces, NaN and digits of other scripts. Upstreams send plain decimals.
_DECIMALS = b"0123456789+-.eE"
_NUMBER_TYPES = frozenset({int, float, Decimal})


@dataclass(slots=True)
class BarRows:
    """The rows of an answer that could be read, in the order in which they were sent.

    Args:
        provider: Name of the provider.
        days: Day of each row, in days since 1970-01-01.
        columns: Open, high, low, close and volume as floats.
        problems: One sentence about each row or value that was left out.
    """

    provider: str
    days: list[int] = field(default_factory=list)
    columns: tuple[list[float], ...] = field(default_factory=lambda: tuple([] for _ in COLUMNS))
    problems: list[str] = field(default_factory=list)

    def add(self, days: Sequence[int | None], cells: Sequence[Sequence[Any]]) -> None:
        """Add rows. Those that cannot be read are left out, and `problems` names them.

        Args:
            days: Day of each row, in days since 1970-01-01. None if it could not be read; the caller has already added
                this problem.
            cells: Open, high, low, close and volume of all rows, as sent: numbers or decimal strings. A row whose
                prices are all None is left out, because it stands for a day without trading. A volume of None counts
                as 0.
        """
        floats = [_floats(column) for column in cells]
        if None not in floats and None not in days:
            self.days += [day for day in days if day is not None]
            for column, values in zip(self.columns, floats, strict=True):
                column.extend(values or ())
            return
        for day, *row in zip(days, *cells, strict=True):
            if day is not None and not all(cell is None for cell in row[:4]):
                self._add_row(day, row)

    def _add_row(self, day: int, row: Sequence[Any]) -> None:
        values = []
        for name, cell in zip(COLUMNS, row, strict=True):
            try:
                values.append(0.0 if cell is None and name == "volume" else read_number(cell))
            except MalformedError as error:
                self.problems.append(f"the {name} of {iso_day(day)} {error.detail}")
                if name != "volume":
                    return
                values.append(0.0)
        self.days.append(day)
        for column, value in zip(self.columns, values, strict=True):
            column.append(value)

    def bars(self, symbol: str, first_day: int, end_day: int, factors: Mapping[int, float] | None = None) -> Bars:
        """Return the bars from `first_day` to the day before `end_day`, ascending by day, one per day.

        Args:
            symbol: Canonical symbol.
            first_day: First day, in days since 1970-01-01.
            end_day: Day after the last day, in days since 1970-01-01.
            factors: Day → number by which its prices are multiplied. Days without a number are left out. If this is
                None, prices are not changed.

        Raises:
            MalformedError: There were rows, but none of them could be read.
        """
        early = [day for day in self.days if day < first_day - EARLY_DAYS]
        if early:
            oldest = f"the oldest is of {iso_day(min(early))}, but the first requested day is {iso_day(first_day)}"
            self.problems.append(f"rows with a wrong time: {len(early)} ({oldest})")
        if self.problems and len(early) == len(self.days):
            raise MalformedError(self.provider, f"{self.problems[0]}; no bar can be read")
        is_ascending = all(map(lt, self.days, self.days[1:]))
        days, columns = self.days, self.columns
        are_all_wanted = is_ascending and days and first_day <= days[0] and days[-1] < end_day
        if not are_all_wanted or not (factors is None or factors.keys() >= {*days}):
            places = [
                place
                for place in (range(len(days)) if is_ascending else self._one_per_day())
                if first_day <= days[place] < end_day and (factors is None or days[place] in factors)
            ]
            columns = tuple([column[place] for place in places] for column in columns)
            days = [days[place] for place in places]
        converted: list[Iterable[float]] = [*columns]
        if factors is not None:
            rates = [factors[day] for day in days]
            converted[:4] = [map(mul, column, rates) for column in columns[:4]]
        return Bars(symbol, self.provider, array("i", days), *(array("d", column) for column in converted))

    def _one_per_day(self) -> list[int]:
        """Return the index of one row for each day, ascending by day.

        The last row of a day is used if the day is the newest one or if all rows of the day have about the same prices,
        because upstreams send the completed or corrected bar after the first one. Otherwise, the day is left out,
        because nothing shows which row is right.
        """
        by_day: dict[int, list[int]] = {}
        for place, day in enumerate(self.days):
            by_day.setdefault(day, []).append(place)
        newest = max(self.days)
        kept = []
        for day, places in sorted(by_day.items()):
            if day == newest or self._are_similar(places):
                kept.append(places[-1])
            else:
                self.problems.append(f"{iso_day(day)} has two different bars, and nothing shows which one is right")
        return kept

    def _are_similar(self, places: Sequence[int]) -> bool:
        for column in self.columns[:4]:
            prices = [column[place] for place in places]
            if max(prices) - min(prices) > SIMILAR * abs(prices[-1]):
                return False
        return True


def _floats(values: Sequence[Any]) -> list[float] | None:
    """Return a column as finite floats, or None if a value is not a number."""
    types = set(map(type, values))
    try:
        if types == {str}:
            # deleting the allowed characters takes a tenth of the time of a pattern
            if "".join(values).encode().translate(None, _DECIMALS):
                return None
        elif not types <= _NUMBER_TYPES:
            return None
        floats = list(map(float, values))
    except (ValueError, OverflowError):
        return None
    # The sum is not finite if a value is not. If it is not because it is too large, the caller reads each value alone.
    return floats if math.isfinite(sum(floats)) else None


def read_number(cell: Any) -> float:
    """Return a cell as a finite float.

    Raises:
        MalformedError: The cell is not a finite number. The detail is a predicate, such as `is inf; expected a number`,
            to which the caller adds the subject.
    """
    if isinstance(cell, float):
        found = cell
    else:
        try:
            found = float(parse.number("", cell, ""))
        except MalformedError as error:
            raise MalformedError("", error.detail.strip()) from None
    if not math.isfinite(found):
        raise MalformedError("", f"is {found}; expected a number")
    return found
