"""Parses Yahoo's daily charts into bars. Pure.

Yahoo publishes no documentation. The format is taken from recorded responses (February 2025).
"""

from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from financehub_shared.core.durations import DAY_SECONDS
from financehub_shared.core.errors import MalformedError, NotFoundError
from financehub_shared.core.kinds import AssetType
from financehub_shared.core.models import Asset, Bars
from financehub_shared.core.units import to_major_unit
from financehub_shared.providers.transport import parse
from financehub_shared.providers.yahoo.parse import document
from financehub_shared.providers.yahoo.splits import apply_missing_splits

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC).toordinal()


@dataclass(frozen=True, slots=True)
class Chart:
    """Daily bars of one asset.

    Args:
        bars: Bars of complete days. Prices are adjusted for splits and not for dividends.
        has_split: Whether a split took effect in the requested days, so that bars stored before it are out of scale.
        corrections: A description of each correction of the bars.
    """

    bars: Bars
    has_split: bool = False
    corrections: Sequence[str] = ()


def read_chart(provider: str, asset: Asset, body: bytes, first_day: int, now: float) -> Chart:
    """Parse the bars of `v8/finance/chart` from `first_day` to the last complete day, in the major unit.

    Args:
        provider: Name of the provider in records.
        asset: The asset of the chart.
        body: The response body.
        first_day: Days since 1970-01-01. Earlier bars are left out.
        now: Unix seconds. The day of a session that has not ended yet is left out.

    Raises:
        ProviderError: See `document`. A chart in a currency other than the asset's is also a MalformedError.
    """
    results = parse.sequence(provider, document(provider, body, "chart").get("result"), "result")
    if not results:
        raise NotFoundError(provider, "no chart")
    result = parse.mapping(provider, results[0], "result")
    meta = parse.mapping(provider, result.get("meta"), "meta")
    currency, per_unit = to_major_unit(parse.text(provider, meta.get("currency"), "meta.currency"))
    if currency != to_major_unit(asset.currency)[0]:
        raise MalformedError(provider, f"bars of {asset.symbol} are in {currency}; expected {asset.currency}")
    zone = _zone(meta)
    times = parse.sequence(provider, result.get("timestamp") or [], "timestamp")
    days = [_day(parse.seconds(provider, time, "timestamp"), zone) for time in times]
    rows = _rows(provider, result, days, per_unit, asset)
    end = _first_incomplete_day(provider, meta, zone, now)
    complete = [row for day, row in sorted(rows.items()) if first_day <= day < end]
    columns = [array("d", column) for column in zip(*complete, strict=True)] or [array("d") for _ in range(5)]
    chosen = array("i", (day for day in sorted(rows) if first_day <= day < end))
    open, high, low, close, volume = columns
    splits = _splits(provider, result, zone)
    bars = Bars(asset.symbol, provider, chosen, open, high, low, close, volume)
    bars, corrections = apply_missing_splits(bars, splits)
    return Chart(bars, bool(splits), corrections)


def _zone(meta: Mapping[str, Any]) -> tzinfo:
    name = meta.get("exchangeTimezoneName")
    try:
        return ZoneInfo(str(name))
    except (ZoneInfoNotFoundError, ValueError):
        # The host does not have the zone database. Days are still correct unless a session begins at midnight.
        offset = meta.get("gmtoffset")
        return timezone(timedelta(seconds=offset if isinstance(offset, int) and abs(offset) < DAY_SECONDS else 0))


def _day(at: float, zone: tzinfo) -> int:
    """Return the date in the exchange's time zone, as days since 1970-01-01."""
    return datetime.fromtimestamp(at, zone).toordinal() - _EPOCH


def _rows(
    provider: str, result: Mapping[str, Any], days: list[int], per_unit: int, asset: Asset
) -> dict[int, tuple[float, ...]]:
    """Return day → (open, high, low, close, volume). Days without trading, which Yahoo sends as null, are left out."""
    if not days:
        return {}
    indicators = parse.mapping(provider, result.get("indicators"), "indicators")
    quotes = parse.sequence(provider, indicators.get("quote"), "indicators.quote", at_least=1)
    quote = parse.mapping(provider, quotes[0], "indicators.quote")
    columns = [parse.sequence(provider, quote.get(name), name) for name in ("open", "high", "low", "close", "volume")]
    if any(len(column) != len(days) for column in columns):
        raise MalformedError(provider, f"columns of {[len(column) for column in columns]} values for {len(days)} days")
    rows = {}
    for day, *cells in zip(days, *columns, strict=True):
        if any(cell is None for cell in cells[:4]):
            continue
        prices = [parse.number(provider, cell, "price") / per_unit for cell in cells[:4]]
        volume = parse.number(provider, cells[4] or 0, "volume")
        if asset.type is AssetType.CRYPTO:
            volume = volume / prices[3] if prices[3] > 0 else Decimal(0)
        rows[day] = (*map(float, prices), float(volume))  # if a day has two rows, the later one is the corrected one
    return rows


def _first_incomplete_day(provider: str, meta: Mapping[str, Any], zone: tzinfo, now: float) -> int:
    """Return today if its session has not ended yet, and tomorrow otherwise."""
    period = meta.get("currentTradingPeriod")
    regular = period.get("regular") if isinstance(period, dict) else None
    if isinstance(regular, dict):
        end = parse.seconds(provider, regular.get("end"), "currentTradingPeriod.regular.end")
        start = parse.seconds(provider, regular.get("start"), "currentTradingPeriod.regular.start")
        if now < end:
            return _day(start, zone)
    else:
        return _day(now, zone)
    return _day(now, zone) + 1


def _splits(provider: str, result: Mapping[str, Any], zone: tzinfo) -> dict[int, float]:
    """Return the day on which a split takes effect → new shares per old share."""
    events = result.get("events")
    found = events.get("splits") if isinstance(events, dict) else None
    splits = {}
    for event in parse.mapping(provider, found or {}, "events.splits").values():
        split = parse.mapping(provider, event, "split")
        day = _day(parse.seconds(provider, split.get("date"), "split date"), zone)
        new = parse.number(provider, split.get("numerator"), "split numerator")
        old = parse.number(provider, split.get("denominator"), "split denominator")
        if new > 0 and old > 0:
            splits[day] = float(new / old)
    return splits
