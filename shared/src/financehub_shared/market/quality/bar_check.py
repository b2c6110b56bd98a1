"""Holds the state of one bar check: the asset's bars as rows, and the corrections and drops so far."""

import json
import math
import statistics
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from financehub_shared.core.models import PAYLOAD_LIMIT, Asset, Bars, Quarantined

#: Number of bars shown in a quarantine record.
SHOWN = 10
#: If the high and low of one day differ by more than this factor, their units differ or one of them is not a price.
RANGE_MAX = 20.0


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
    def level(self) -> float:
        """Natural logarithm of the median price."""
        return math.log(statistics.median(self.prices))

    @property
    def is_inconsistent(self) -> bool:
        """Whether the prices of the day differ by more than `RANGE_MAX`."""
        return max(self.prices) / min(self.prices) > RANGE_MAX


@dataclass(slots=True)
class BarCheck:
    """The bars of one asset while the rules check and correct them.

    Args:
        asset: The asset.
        provider: The provider that delivered the bars.
        now: Unix seconds.
        rows: The bars that are still accepted, ascending by day.
        findings: (reason, bar) for each correction and each dropped bar.
    """

    asset: Asset
    provider: str
    now: float
    rows: list[Row]
    findings: list[tuple[str, Row]] = field(default_factory=list)

    @classmethod
    def of(cls, asset: Asset, bars: Bars, now: float) -> "BarCheck":
        """Start checking newly fetched bars."""
        columns = zip(bars.open, bars.high, bars.low, bars.close, bars.volume, strict=True)
        rows = [Row(day, list(cells[:4]), cells[4], cells) for day, cells in zip(bars.days, columns, strict=True)]
        return cls(asset, bars.provider, now, rows)

    def drop(self, reason: str, rows: Iterable[Row]) -> None:
        """Remove rows and record the reason."""
        dropped = list(rows)
        self.findings += [(reason, row) for row in dropped]
        days = {row.day for row in dropped}
        self.rows = [row for row in self.rows if row.day not in days]

    def correct(self, reason: str, row: Row, prices: list[float], volume: float | None = None) -> None:
        """Change the prices of a row, and its volume if given, and record the reason."""
        self.findings.append((f"{reason}, corrected", row))
        row.prices = prices
        row.volume = row.volume if volume is None else volume

    def accepted(self) -> Bars:
        """Return the bars that remain, with their corrections."""
        open, high, low, close = (array("d", (row.prices[cell] for row in self.rows)) for cell in range(4))
        volume = array("d", (row.volume for row in self.rows))
        days = array("i", (row.day for row in self.rows))
        return Bars(self.asset.symbol, self.provider, days, open, high, low, close, volume)

    def records(self) -> list[Quarantined]:
        """Return one quarantine record per reason, with the bars as delivered."""
        grouped: dict[str, list[Row]] = {}
        for reason, row in self.findings:
            grouped.setdefault(reason, []).append(row)
        return [
            Quarantined("bar", self.asset.symbol, self.provider, reason, _payload(rows), self.now)
            for reason, rows in grouped.items()
        ]


def _payload(rows: Sequence[Row]) -> str:
    shown = [[row.day, *map(_json_number, row.delivered)] for row in rows[:SHOWN]]
    return json.dumps({"bars": len(rows), "day, open, high, low, close, volume": shown})[:PAYLOAD_LIMIT]


def _json_number(value: float) -> float | str:
    """Return NaN and Infinity as strings, because JSON does not have these numbers."""
    return value if math.isfinite(value) else str(value)
