"""Holds the state of one bar check: the asset's bars as rows, and what was corrected or left out so far."""

import json
import math
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from financehub_shared.core.days import iso_day
from financehub_shared.core.kinds import AssetType
from financehub_shared.core.models import PAYLOAD_LIMIT, Asset, BarAnswer, Bars, Quarantined

#: Number of bars shown in a quarantine record.
SHOWN = 10
OPEN, HIGH, LOW, CLOSE = range(4)
#: Number of newest bars that establish the right level although no second source confirms it.
NEWEST_MIN = 4


@dataclass(frozen=True, slots=True)
class CurrentPrice:
    """The current price of an asset, which shows the right scale of its bars.

    Args:
        value: The price in the unit of the bars.
        is_quoted: Whether the stored quote reports it.
        is_confirmed: Whether both the stored quote and the answer itself report it.
    """

    value: float
    is_quoted: bool
    is_confirmed: bool

    def distance(self, price: float) -> float:
        """Return |ln(price ÷ current price)|, for a price in the same unit."""
        return abs(math.log(price / self.value))

    @property
    def bars_min(self) -> int:
        """Smallest number of newest bars that must agree with the price: more if only the answer itself reports it."""
        return 2 if self.is_quoted else NEWEST_MIN


@dataclass(slots=True)
class Row:
    """One bar while it is checked.

    Args:
        day: Days since 1970-01-01.
        prices: Open, high, low and close; corrections change them.
        volume: Traded units of the asset; corrections change it.
        delivered: Open, high, low, close and volume as the provider sent them.
    """

    day: int
    prices: list[float]
    volume: float
    delivered: tuple[float, ...]

    @property
    def open(self) -> float:
        return self.prices[OPEN]

    @property
    def close(self) -> float:
        return self.prices[CLOSE]


def rows_of(bars: Bars) -> list[Row]:
    """Return the bars as rows."""
    columns = zip(bars.open, bars.high, bars.low, bars.close, bars.volume, strict=True)
    return [Row(day, list(cells[:4]), cells[4], cells) for day, cells in zip(bars.days, columns, strict=True)]


def bars_of(symbol: str, provider: str, rows: Sequence[Row]) -> Bars:
    """Return rows as bars. The rows must be in ascending order of days."""
    open, high, low, close = (array("d", (row.prices[cell] for row in rows)) for cell in range(4))
    days, volume = array("i", (row.day for row in rows)), array("d", (row.volume for row in rows))
    return Bars(symbol, provider, days, open, high, low, close, volume)


@dataclass(slots=True)
class BarCheck:
    """The bars of one answer while the rules check and correct them.

    Args:
        asset: The asset.
        answer: The provider's answer.
        now: Unix seconds.
        before: Stored bars before the first bar of the answer, oldest first. They are only used for comparison.
        current: The current price in the unit of the bars, if it is known.
        rows: The bars that are still accepted, ascending by day.
        findings: (reason, bar) for each correction and each bar that was left out.
    """

    asset: Asset
    answer: BarAnswer
    now: float
    before: list[Row] = field(default_factory=list)
    current: CurrentPrice | None = None
    rows: list[Row] = field(init=False)
    findings: list[tuple[str, Row]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.rows = rows_of(self.answer.bars)

    @property
    def is_stock(self) -> bool:
        """Whether the rules for all kinds except coins apply. The price of a coin can really fall by 99 %."""
        return self.asset.type is AssetType.STOCK

    def leave_out(self, reason: str, rows: Iterable[Row]) -> None:
        """Remove rows and record the reason."""
        removed = list(rows)
        self.findings += [(reason, row) for row in removed]
        days = {row.day for row in removed}
        if days:
            self.rows = [row for row in self.rows if row.day not in days]

    def correct(self, reason: str, row: Row, prices: list[float], volume: float | None = None) -> None:
        """Change the prices of a row, and its volume if given, and record the reason."""
        self.findings.append((f"{reason}, corrected", row))
        row.prices = prices
        row.volume = row.volume if volume is None else volume

    def records(self) -> list[Quarantined]:
        """Return one quarantine record per reason, with the bars as delivered."""
        grouped: dict[str, list[Row]] = {}
        for reason, row in self.findings:
            grouped.setdefault(reason, []).append(row)
        return [self.record(reason, rows) for reason, rows in grouped.items()]

    def record(self, reason: str, rows: Sequence[Row]) -> Quarantined:
        """Return a quarantine record of bars.

        Args:
            reason: Class of the reason, a colon and the detail.
            rows: The bars. The record counts all of them and shows the first `SHOWN`, as delivered.
        """
        shown = [[iso_day(row.day), *map(_json_number, row.delivered)] for row in rows[:SHOWN]]
        payload = json.dumps({"bars": len(rows), "day, open, high, low, close, volume": shown})
        provider = self.answer.bars.provider
        return Quarantined("bar", self.asset.symbol, provider, reason, payload[:PAYLOAD_LIMIT], self.now)


def _json_number(value: float) -> float | str:
    """Return NaN and Infinity as strings, because JSON does not have these numbers."""
    return value if math.isfinite(value) else str(value)
