"""Yahoo's answers: quotes, charts, errors. Pure.

Yahoo publishes no documentation; the shapes are those of recorded answers (February 2025).
"""

from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from financehub_shared.core.errors import MalformedError, NotFoundError, ProviderError, UpstreamError
from financehub_shared.core.models import Asset, AssetType, Bars, Quote
from financehub_shared.core.units import major
from financehub_shared.providers.transport import parse, strict_json
from financehub_shared.providers.transport.status import error_of_status
from financehub_shared.providers.yahoo.splits import apply_missing_splits

#: Yahoo's page for 'we are down', served with status 200.
DOWN = b"will be right back"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC).toordinal()


class NoDataInRangeError(NotFoundError):
    """The symbol is known and was not traded in the days asked for."""


@dataclass(frozen=True, slots=True)
class Chart:
    """Daily bars and what a reader of them has to know.

    Args:
        bars: complete days only, prices adjusted for splits and not for dividends.
        split: a split took effect in the days asked for, so that bars stored before it are out of scale.
        mended: what was done to the bars, in words.
    """

    bars: Bars
    split: bool = False
    mended: Sequence[str] = ()


def own_symbol(asset: Asset) -> str | None:
    """Yahoo's symbol; None for coins it is not stated for: Yahoo numbers them, and `UNI-USD` is not Uniswap."""
    stated = asset.provider_symbols.get("yahoo")
    return stated or (asset.symbol if asset.type is AssetType.STOCK else None)


def error_of_answer(provider: str, status: int, headers: Mapping[str, str], body: bytes, now: float) -> ProviderError:
    """The error of an answer with a status that is none; a 404 is 'not found' only where Yahoo's JSON says so.

    Args:
        provider: the adapter's name.
        status: 400 or more.
        headers: lower-case names.
        body: as far as it was read.
        now: Unix seconds.
    """
    if status not in {400, 404, 422}:
        return error_of_status(provider, status, headers, body[:4_096], now)
    try:
        answer = parse.mapping(provider, strict_json.loads(provider, body), "error")
    except MalformedError:
        return UpstreamError(provider, f"HTTP {status} without Yahoo's error; has the path changed?")
    section = answer.get("chart") or answer.get("finance") or answer.get("quoteResponse")
    error = section.get("error") if isinstance(section, dict) else None
    description = str(error.get("description", ""))[:200] if isinstance(error, dict) else ""
    if description.startswith("Data doesn't exist"):
        return NoDataInRangeError(provider, "not traded in the days asked for")
    if status == 404:
        return NotFoundError(provider, description or "HTTP 404")
    return UpstreamError(provider, f"HTTP {status}: {description}")


def document(provider: str, body: bytes, section: str) -> dict[str, Any]:
    """The named part of an answer with status 200.

    Raises:
        UpstreamError: 'Will be right back', or an error in the body.
        MalformedError: not JSON, or of another shape.
    """
    if not body.lstrip()[:1] == b"{" and DOWN in body[:65_536].lower():
        raise UpstreamError(provider, "'Will be right back' at 200: down for maintenance")
    part = parse.mapping(provider, strict_json.loads(provider, body), section).get(section)
    found = parse.mapping(provider, part, section)
    if found.get("error"):
        raise UpstreamError(provider, f"an error in the body: {str(found['error'])[:200]}")
    return found


def quote_rows(provider: str, body: bytes) -> dict[str, Mapping[str, Any]]:
    """Yahoo's symbol → row of `v7/finance/quote`; what Yahoo does not know is left out."""
    rows = parse.sequence(provider, document(provider, body, "quoteResponse").get("result"), "result")
    return {row["symbol"]: row for row in rows if isinstance(row, dict) and isinstance(row.get("symbol"), str)}


def read_quote(provider: str, asset: Asset, row: Mapping[str, Any] | None, now: float) -> Quote:
    """One row as a quote in the major unit.

    Raises:
        NotFoundError: Yahoo left it out, or knows it without a price (delisted).
        MalformedError: a value is not of its type.
    """
    if row is None:
        raise NotFoundError(provider, "left out of the answer")
    if "regularMarketPrice" not in row:
        raise NotFoundError(provider, f"has no price (quoteType {str(row.get('quoteType'))[:20]}), perhaps delisted")
    currency, per_unit = major(parse.text(provider, row.get("currency"), f"{asset.symbol} currency"))
    price = parse.number(provider, row["regularMarketPrice"], f"{asset.symbol} price") / per_unit
    made_at = row.get("regularMarketTime")
    volume = parse.optional_number(provider, row.get("regularMarketVolume"), f"{asset.symbol} volume")
    if volume is not None and asset.type is AssetType.CRYPTO:
        volume = volume / price if price > 0 else None  # Yahoo gives a coin's turnover in its currency
    return Quote(
        symbol=asset.symbol,
        price=price,
        currency=currency,
        upstream_at=None if made_at is None else parse.seconds(provider, made_at, f"{asset.symbol} time"),
        fetched_at=now,
        provider=provider,
        change_percent=parse.optional_number(provider, row.get("regularMarketChangePercent"), f"{asset.symbol} change"),
        volume=volume,
    )


def read_chart(provider: str, asset: Asset, body: bytes, first_day: int, now: float) -> Chart:
    """The bars of `v8/finance/chart` from `first_day` to the last complete day, in the major unit.

    Args:
        provider: how records name Yahoo.
        asset: whose chart it is.
        body: the answer.
        first_day: days since 1970-01-01; earlier bars are left out.
        now: Unix seconds; the day of a session that is not over is left out.

    Raises:
        ProviderError: see `document`; MalformedError also for a currency that is not the asset's.
    """
    results = parse.sequence(provider, document(provider, body, "chart").get("result"), "result")
    if not results:
        raise NotFoundError(provider, "no chart")
    result = parse.mapping(provider, results[0], "result")
    meta = parse.mapping(provider, result.get("meta"), "meta")
    currency, per_unit = major(parse.text(provider, meta.get("currency"), "meta.currency"))
    if currency != major(asset.currency)[0]:
        raise MalformedError(provider, f"bars of {asset.symbol} in {currency} where {asset.currency} is due")
    zone = _zone(meta)
    times = parse.sequence(provider, result.get("timestamp") or [], "timestamp")
    days = [_day(parse.seconds(provider, time, "timestamp"), zone) for time in times]
    rows = _rows(provider, result, days, per_unit, asset)
    end = _first_incomplete_day(provider, meta, zone, now)
    kept = [row for day, row in sorted(rows.items()) if first_day <= day < end]
    columns = [array("d", column) for column in zip(*kept, strict=True)] or [array("d") for _ in range(5)]
    chosen = array("i", (day for day in sorted(rows) if first_day <= day < end))
    open, high, low, close, volume = columns
    splits = _splits(provider, result, zone)
    bars = Bars(asset.symbol, provider, chosen, open, high, low, close, volume)
    bars, mended = apply_missing_splits(bars, splits)
    return Chart(bars, bool(splits), mended)


def _zone(meta: Mapping[str, Any]) -> tzinfo:
    name = meta.get("exchangeTimezoneName")
    try:
        return ZoneInfo(str(name))
    except (ZoneInfoNotFoundError, ValueError):
        # A host without the zone database; a day is then right except where a session begins at midnight.
        offset = meta.get("gmtoffset")
        return timezone(timedelta(seconds=offset if isinstance(offset, int) and abs(offset) < 86_400 else 0))


def _day(at: float, zone: tzinfo) -> int:
    """The exchange's own date, as days since 1970-01-01."""
    return datetime.fromtimestamp(at, zone).toordinal() - _EPOCH


def _rows(
    provider: str, result: Mapping[str, Any], days: list[int], per_unit: int, asset: Asset
) -> dict[int, tuple[float, ...]]:
    """Day → (open, high, low, close, volume); Yahoo writes null for days without trading, which are left out."""
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
        rows[day] = (*map(float, prices), float(volume))  # of two rows of a day the later is the corrected one
    return rows


def _first_incomplete_day(provider: str, meta: Mapping[str, Any], zone: tzinfo, now: float) -> int:
    """Today, where its session is not over; else tomorrow."""
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
    """Day a split takes effect → new shares per old one."""
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
