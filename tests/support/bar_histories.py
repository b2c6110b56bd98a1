"""Builds histories of daily bars for tests from random walks and recorded files, and checks answers with them."""

import csv
import math
import random
from array import array
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path

from financehub_shared.core.days import SATURDAY, weekday
from financehub_shared.core.kinds import AssetType
from financehub_shared.core.models import Asset, BarAnswer, Bars, Quote
from financehub_shared.market.quality.bars import CheckedBars, check_history, check_increment

STOCK = Asset("X.L", AssetType.STOCK, currency="GBP")
COIN = Asset("X-USD", AssetType.CRYPTO)
#: A Thursday.
FIRST_DAY = 19_005
DAY = 86_400
_EPOCH = date(1970, 1, 1).toordinal()
_COLUMNS = ("open", "high", "low", "close", "volume")
Cells = float | tuple[float, float, float, float]


def walk(count: int, change: float = 0.02, seed: int = 1, price: float = 10.0) -> list[float]:
    """Return closes of a random walk whose daily changes have this standard deviation."""
    source = random.Random(seed)
    closes = []
    for _ in range(count):
        price *= math.exp(source.gauss(0, change))
        closes.append(price)
    return closes


def sessions(count: int, first_day: int = FIRST_DAY) -> list[int]:
    """Return this number of weekdays from the first day on, in days since 1970-01-01."""
    days = (day for day in range(first_day, first_day + 2 * count + 7) if weekday(day) < SATURDAY)
    return [next(days) for _ in range(count)]


def bars(
    cells: Sequence[Cells],
    first_day: int = FIRST_DAY,
    volume: float | Sequence[float] = 100.0,
    provider: str = "yahoo",
    symbol: str = "X.L",
) -> Bars:
    """Return bars of weekdays.

    Args:
        cells: (open, high, low, close) of each day, or only a close, whose bar has a narrow range around it.
        first_day: The first day, in days since 1970-01-01.
        volume: The volume of all bars or of each one.
        provider: The provider.
        symbol: The symbol.
    """
    rows = [each if isinstance(each, tuple) else (each, each * 1.01, each * 0.99, each) for each in cells]
    prices = [array("d", (row[cell] for row in rows)) for cell in range(4)]
    volumes = array("d", [volume] * len(rows) if isinstance(volume, float) else volume)
    return Bars(symbol, provider, array("i", sessions(len(rows), first_day)), *prices, volumes)


def traded(closes: Sequence[float]) -> list[Cells]:
    """Return cells of days that open at the previous day's close and pass through all prices in between."""
    opens = [closes[0], *closes[:-1]]
    return [
        (open, max(open, close) * 1.01, min(open, close) * 0.99, close)
        for open, close in zip(opens, closes, strict=True)
    ]


def quote_of(price: float, at: float, **more: object) -> Quote:
    """Return a stored quote."""
    made = Quote("X.L", Decimal(str(price)), "GBP", at, at, "yahoo")
    return replace(made, **more)  # type: ignore[arg-type]


def read_history(
    delivered: Bars,
    splits: dict[int, float] | None = None,
    *,
    dividends: dict[int, float] | None = None,
    stored: Bars | None = None,
    price: float | None = None,
    own_price: float | None = None,
    asset: Asset = STOCK,
    problems: tuple[str, ...] = (),
    is_fallback: bool = False,
) -> CheckedBars:
    """Check a full history half a day after its newest bar.

    Args:
        delivered: The bars.
        splits: The announced splits.
        dividends: The dividends.
        stored: The stored bars.
        price: Price of the stored quote, made after the newest bar.
        own_price: Price that the same answer reports together with the bars.
        asset: The asset.
        problems: Sentences about the elements that could not be read.
        is_fallback: Whether the provider is not the first choice.
    """
    end = (delivered.days[-1] + 1) * DAY if len(delivered) else 20_000 * DAY
    answer = BarAnswer(delivered, splits or {}, dividends or {}, own_price, end, problems)
    quote = None if price is None else quote_of(price, end, currency=asset.currency)
    return check_history(asset, answer, stored, quote, end + DAY / 2, is_fallback=is_fallback)


def read_increment(
    delivered: Bars,
    stored: Bars,
    splits: dict[int, float] | None = None,
    *,
    price: float | None = None,
    asset: Asset = STOCK,
    problems: tuple[str, ...] = (),
) -> CheckedBars:
    """Check a short answer half a day after its newest bar; see `read_history`."""
    end = (delivered.days[-1] + 1) * DAY
    quote = None if price is None else quote_of(price, end, currency=asset.currency)
    return check_increment(asset, BarAnswer(delivered, splits or {}, problems=problems), stored, quote, end + DAY / 2)


def reasons(checked: CheckedBars) -> list[str]:
    """Return the classes of the reasons in alphabetical order."""
    return sorted({record.reason_class for record in checked.records})


def recorded_history(folder: Path, name: str) -> tuple[Bars, dict[int, float]]:
    """Read the bars and splits of a recorded CSV file. Each hourly bar gets a weekday of its own."""
    with (folder / "prices-with-errors" / f"{name}.csv").open(encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines))
    time = "Date" if "Date" in rows[0] else "Datetime"
    rows.sort(key=lambda row: row[time])
    days = [date.fromisoformat(row[time][:10]).toordinal() - _EPOCH for row in rows]
    if len(set(days)) < len(days):
        days = sessions(len(days))
    columns = [array("d", (float(row[name.capitalize()]) for row in rows)) for name in _COLUMNS]
    splits = {day: float(row["Stock Splits"]) for day, row in zip(days, rows, strict=True)}
    return Bars(name, "yahoo", array("i", days), *columns), {day: ratio for day, ratio in splits.items() if ratio}
