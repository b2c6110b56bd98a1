"""Encodes assets, quotes, indicator values and news as JSON, without defaults to keep 10,000 quotes small."""

import json
from dataclasses import asdict
from decimal import Decimal, InvalidOperation
from typing import Any

from financehub_shared.core.errors import CorruptDataError
from financehub_shared.core.kinds import AssetType
from financehub_shared.core.models import Asset, IndicatorValues, NewsItem, Quality, Quote
from financehub_shared.redis import keys

#: Digits of one timestamp in a quote's order prefix: microseconds, sufficient until the year 2286.
_TIME_DIGITS = 16
#: Length of the prefix that `quotes` compares inside Redis.
QUOTE_ORDER_LENGTH = 2 * _TIME_DIGITS
#: The value of `Quality.CORRECTED` in Redis. Earlier releases, which run during an upgrade and after a rollback, accept
#: only this value.
_CORRECTED = "mended"


def dumps(record: dict[str, Any]) -> str:
    """Encode as compact JSON. NaN is refused, because other readers could not parse it."""
    return json.dumps(record, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def loads(key: str, raw: bytes) -> dict[str, Any]:
    """Parse JSON that `dumps` wrote.

    Raises:
        CorruptDataError: The string is not a JSON object.
    """
    try:
        record = json.loads(raw)
    except ValueError as error:
        raise CorruptDataError(key, f"is not JSON ({error})") from error
    if not isinstance(record, dict):
        raise CorruptDataError(key, "is not a JSON object")
    return record


def encode_asset(asset: Asset) -> str:
    """Encode an asset without its symbol, which is the hash field."""
    record: dict[str, Any] = {"type": asset.type.value, "name": asset.name, "currency": asset.currency}
    if not asset.active:
        record["active"] = False
    if asset.declared:
        record["declared"] = True
    if asset.provider_symbols:
        record["providers"] = dict(asset.provider_symbols)
    return dumps(record)


def decode_asset(symbol: str, raw: bytes) -> Asset:
    """Decode an asset.

    Raises:
        CorruptDataError: A field is missing or invalid.
    """
    key = f"{keys.ASSETS} {symbol}"
    record = loads(key, raw)
    try:
        return Asset(
            symbol=symbol,
            type=AssetType(record["type"]),
            name=record["name"],
            currency=record["currency"],
            active=record.get("active", True),
            provider_symbols=record.get("providers", {}),
            declared=record.get("declared", False),
        )
    except (KeyError, ValueError) as error:
        raise CorruptDataError(key, f"has a missing or invalid field: {error}") from error


def quote_order(quote: Quote) -> str:
    """Return a string that sorts quotes from old to new: by upstream time, then by fetch time.

    An upstream time after the fetch time comes from a wrong clock and counts as the fetch time. Otherwise it would
    block all later quotes.
    """
    made = quote.fetched_at if quote.upstream_at is None else min(quote.upstream_at, quote.fetched_at)
    return "".join(f"{max(0, round(at * 1e6)):0{_TIME_DIGITS}d}" for at in (made, quote.fetched_at))


def encode_quote(quote: Quote) -> str:
    """Encode a quote as an order prefix and JSON, without its symbol, which is the hash field."""
    record: dict[str, Any] = {
        "price": str(quote.price),
        "currency": quote.currency,
        "upstream_at": quote.upstream_at,
        "fetched_at": quote.fetched_at,
        "provider": quote.provider,
        "change_percent": None if quote.change_percent is None else str(quote.change_percent),
        "volume": None if quote.volume is None else str(quote.volume),
        "quality": _CORRECTED if quote.quality is Quality.CORRECTED else None,
        "note": quote.note or None,
    }
    return quote_order(quote) + dumps({name: value for name, value in record.items() if value is not None})


def quote_fetched_at(raw: bytes) -> float:
    """Return the fetch time of an encoded quote in Unix seconds, read from its prefix only."""
    return int(raw[_TIME_DIGITS:QUOTE_ORDER_LENGTH]) / 1e6


def _quality(text: str) -> Quality:
    return Quality.CORRECTED if text == _CORRECTED else Quality(text)


def _decimal(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)


def decode_quote(symbol: str, raw: bytes) -> Quote:
    """Decode a quote.

    Raises:
        CorruptDataError: A field is missing or invalid.
    """
    key = f"{keys.QUOTES} {symbol}"
    record = loads(key, raw[QUOTE_ORDER_LENGTH:])
    try:
        return Quote(
            symbol=symbol,
            price=Decimal(record["price"]),
            currency=record["currency"],
            upstream_at=record.get("upstream_at"),
            fetched_at=record["fetched_at"],
            provider=record["provider"],
            change_percent=_decimal(record.get("change_percent")),
            volume=_decimal(record.get("volume")),
            quality=_quality(record.get("quality", Quality.GOOD)),
            note=record.get("note", ""),
        )
    except (KeyError, ValueError, TypeError, InvalidOperation) as error:
        raise CorruptDataError(key, f"has a missing or invalid field: {error}") from error


def encode_indicator_values(newest: IndicatorValues) -> str:
    """Encode an asset's newest indicator values without its symbol, which is the hash field."""
    record = asdict(newest)
    del record["symbol"]
    return dumps(record)


def decode_indicator_values(symbol: str, raw: bytes) -> IndicatorValues:
    """Decode the newest indicator values.

    Raises:
        CorruptDataError: A field is missing or unknown.
    """
    key = f"{keys.INDICATORS} {symbol}"
    record = loads(key, raw)
    try:
        return IndicatorValues(symbol=symbol, **record)
    except TypeError as error:
        raise CorruptDataError(key, f"has a missing or invalid field: {error}") from error


def encode_news(item: NewsItem) -> str:
    """Encode a news item without its id, which is the hash field."""
    record: dict[str, Any] = {
        "title": item.title,
        "url": item.url,
        "source": item.source,
        "published_at": item.published_at,
        "fetched_at": item.fetched_at,
        "provider": item.provider,
    }
    if item.guid:
        record["guid"] = item.guid
    if item.assets:
        record["assets"] = item.assets
    return dumps(record)


def decode_news(id: str, raw: bytes) -> NewsItem:
    """Decode a news item.

    Raises:
        CorruptDataError: A field is missing or unknown.
    """
    key = f"{keys.NEWS} {id}"
    record = loads(key, raw)
    try:
        return NewsItem(id=id, **(record | {"assets": tuple(record.get("assets", ()))}))
    except TypeError as error:
        raise CorruptDataError(key, f"has a missing or invalid field: {error}") from error
