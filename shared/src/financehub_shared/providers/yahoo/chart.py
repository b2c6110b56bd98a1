"""Reads Yahoo's daily charts. Pure; market/quality/bars.py decides what is stored.

Yahoo publishes no documentation. The format is taken from recorded responses (February 2025).
"""

from array import array
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from financehub_shared.core.days import iso_day
from financehub_shared.core.durations import DAY_SECONDS
from financehub_shared.core.errors import MalformedError, NotFoundError
from financehub_shared.core.kinds import AssetType
from financehub_shared.core.models import Asset, BarAnswer, Bars
from financehub_shared.core.units import to_major_unit
from financehub_shared.providers.bar_rows import COLUMNS, BarRows, read_number
from financehub_shared.providers.transport import parse
from financehub_shared.providers.yahoo.parse import document, own_symbol, spellings

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC).toordinal()
#: From this hour on, a time at a full quarter of an hour means the following midnight. Where clocks change at midnight,
#: Yahoo computes midnight with the offset before or after the change (yfinance #1048: bars of São Paulo at 22:00, 23:00
#: and 01:00).
MIDNIGHT_HOUR = 22


def read_chart(provider: str, asset: Asset, body: bytes, first_day: int, now: float) -> BarAnswer:
    """Read `v8/finance/chart` from `first_day` to the last complete day, in the major unit.

    Args:
        provider: Name of the provider in records.
        asset: The asset of the chart.
        body: The response body.
        first_day: Days since 1970-01-01. Earlier bars are left out.
        now: Unix seconds. The day of a session that has not ended yet is left out.

    Raises:
        MalformedError: The chart is of another symbol or in another currency than the asset, or no bar can be read.
        NotFoundError: There is no chart.
        ProviderError: See `document`.
    """
    results = parse.sequence(provider, document(provider, body, "chart", figures=True).get("result"), "result")
    if not results:
        raise NotFoundError(provider, "no chart")
    result = parse.mapping(provider, results[0], "result")
    meta = parse.mapping(provider, result.get("meta"), "meta")
    _check_symbol(provider, asset, meta.get("symbol"))
    currency, per_unit = to_major_unit(parse.text(provider, meta.get("currency"), "meta.currency"))
    if currency != to_major_unit(asset.currency)[0]:
        raise MalformedError(provider, f"bars of {asset.symbol} are in {currency}; expected {asset.currency}")
    zone = _zone(meta)
    rows = BarRows(provider)
    times = _times(provider, result)
    if times:
        rows.add(_days(rows, times, zone), _columns(rows, result, len(times)))
    bars = _in_major_unit(rows.bars(asset.symbol, first_day, _first_incomplete_day(meta, zone, now)), per_unit)
    if asset.type is AssetType.CRYPTO:
        bars = _in_coins(bars)
    splits, dividends = _events(rows, result, zone, per_unit)
    price = _figure(meta.get("regularMarketPrice"))
    return BarAnswer(
        bars,
        splits,
        dividends,
        None if price is None else price / per_unit,
        _figure(meta.get("regularMarketTime")),
        tuple(rows.problems),
    )


def _check_symbol(provider: str, asset: Asset, symbol: Any) -> None:
    expected = own_symbol(asset) or asset.symbol
    if isinstance(symbol, str) and symbol.upper() not in spellings(expected.upper()):
        raise MalformedError(provider, f"the chart is of {parse.describe(symbol)}; expected {expected}")


def _times(provider: str, result: Mapping[str, Any]) -> list[Any]:
    """Return the times of the rows. A chart without bars has neither times nor columns of prices."""
    times = result.get("timestamp")
    indicators = result.get("indicators")
    quotes = indicators.get("quote") if isinstance(indicators, dict) else None
    columns = quotes[0] if isinstance(quotes, list) and quotes else None
    has_prices = isinstance(columns, dict) and any(columns.get(name) for name in COLUMNS)
    return [] if times is None and not has_prices else parse.sequence(provider, times, "timestamp", int(has_prices))


def _zone(meta: Mapping[str, Any]) -> tzinfo:
    name = meta.get("exchangeTimezoneName")
    try:
        return ZoneInfo(str(name))
    except (ZoneInfoNotFoundError, ValueError, OSError):
        # The host does not have the zone database. Days are still correct unless a session begins at midnight.
        offset = _figure(meta.get("gmtoffset")) or 0.0
        return timezone(timedelta(seconds=offset if abs(offset) < DAY_SECONDS else 0))


def _days(rows: BarRows, times: Sequence[Any], zone: tzinfo) -> list[int | None]:
    """Return the day of each row, or None if its time cannot be read."""
    days: list[int | None] = []
    for time in times:
        try:
            days.append(_day(parse.seconds(rows.provider, time, "timestamp"), zone))
        except MalformedError as error:
            rows.problems.append(error.detail)
            days.append(None)
    return days


def _day(at: float, zone: tzinfo) -> int:
    """Return the date in the exchange's time zone, as days since 1970-01-01."""
    local = datetime.fromtimestamp(at, zone)
    is_midnight = local.hour >= MIDNIGHT_HOUR and local.minute % 15 == 0 and not local.second
    return local.toordinal() - _EPOCH + is_midnight


def _columns(rows: BarRows, result: Mapping[str, Any], count: int) -> list[Sequence[Any]]:
    """Return open, high, low, close and volume. An unreadable column of volumes is replaced by zeros.

    Raises:
        MalformedError: A column of prices is missing or does not have `count` values.
    """
    provider = rows.provider
    indicators = parse.mapping(provider, result.get("indicators"), "indicators")
    quotes = parse.sequence(provider, indicators.get("quote"), "indicators.quote", at_least=1)
    quote = parse.mapping(provider, quotes[0], "indicators.quote")
    columns: list[Sequence[Any]] = []
    for name in COLUMNS:
        values = quote.get(name)
        if isinstance(values, list) and len(values) == count:
            columns.append(values)
            continue
        problem = f"the column {name} is {parse.describe(values)}; expected {count} values"
        if name != "volume":
            raise MalformedError(provider, problem)
        rows.problems.append(f"{problem}; all volumes are 0")
        columns.append([0] * count)
    return columns


def _in_major_unit(bars: Bars, per_unit: int) -> Bars:
    if per_unit == 1:
        return bars
    columns = (bars.open, bars.high, bars.low, bars.close)
    open, high, low, close = (array("d", (price / per_unit for price in column)) for column in columns)
    return replace(bars, open=open, high=high, low=low, close=close)


def _in_coins(bars: Bars) -> Bars:
    """Convert volumes from Yahoo's turnover in the currency to coins."""
    volumes = zip(bars.volume, bars.close, strict=True)
    return replace(bars, volume=array("d", (volume / close if close > 0 else 0.0 for volume, close in volumes)))


def _first_incomplete_day(meta: Mapping[str, Any], zone: tzinfo, now: float) -> int:
    """Return the first day whose bar may be incomplete, in days since 1970-01-01.

    This is today, unless the trading period in the answer is today's and has ended, or is a later one. A period of an
    earlier day does not show whether today's session has ended.
    """
    today = datetime.fromtimestamp(now, zone).toordinal() - _EPOCH
    period = meta.get("currentTradingPeriod")
    regular = period.get("regular") if isinstance(period, dict) else None
    hours = regular if isinstance(regular, dict) else {}
    try:
        start, end = (parse.seconds("", hours.get(name), name) for name in ("start", "end"))
    except MalformedError:
        return today
    if now < end:
        return max(_day(start, zone), today - 1)
    # A session that lasts the whole day ends at midnight.
    last = datetime.fromtimestamp(end - 1, zone).toordinal() - _EPOCH
    return today + 1 if last >= today else today


def _events(
    rows: BarRows, result: Mapping[str, Any], zone: tzinfo, per_unit: int
) -> tuple[dict[int, float], dict[int, float]]:
    """Return the splits (day → new shares per old share) and the dividends (day → amount in the major unit)."""
    splits: dict[int, float] = {}
    dividends: dict[int, float] = {}
    events = result.get("events")
    for event in _members(rows, events, "splits"):
        day = _event_day(rows, event, zone, "split")
        if day is not None:
            splits[day] = splits.get(day, 1.0) * _ratio(rows, event, day)
    for event in _members(rows, events, "dividends"):
        day, amount = _event_day(rows, event, zone, "dividend"), _figure(event.get("amount"))
        if day is not None and amount is not None:
            dividends[day] = dividends.get(day, 0.0) + amount / per_unit
    return splits, dividends


def _members(rows: BarRows, events: Any, name: str) -> list[dict[str, Any]]:
    """Return the events of one kind that are objects."""
    if not isinstance(events, dict):
        if events is not None:
            rows.problems.append(f"events is {parse.describe(events)}, so the {name} are unknown")
        return []
    found = events.get(name)
    if found is None:
        return []
    values = list(found.values()) if isinstance(found, dict) else [found]
    objects = [value for value in values if isinstance(value, dict)]
    if len(objects) < len(values):
        rows.problems.append(f"{len(values) - len(objects)} of the {name} cannot be read")
    return objects


def _ratio(rows: BarRows, event: Mapping[str, Any], day: int) -> float:
    """Return the new shares per old share of a split, or 1 if they cannot be read."""
    new, old = (_figure(event.get(name)) for name in ("numerator", "denominator"))
    if new is not None and old is not None and new > 0 and old > 0 and 1e-9 < new / old < 1e9:
        return new / old
    rows.problems.append(f"the split of {iso_day(day)} has no readable ratio")
    return 1.0


def _figure(value: Any) -> float | None:
    """Return a number as a float, or None if it is anything else."""
    try:
        return read_number(value)
    except MalformedError:
        return None


def _event_day(rows: BarRows, event: Mapping[str, Any], zone: tzinfo, what: str) -> int | None:
    try:
        return _day(parse.seconds(rows.provider, event.get("date"), f"the date of a {what}"), zone)
    except MalformedError as error:
        rows.problems.append(error.detail)
        return None
