"""Encodes assets, quotes, indicator values and news as JSON, without defaults to keep 10,000 quotes small."""

import re
from dataclasses import asdict, replace
from typing import Any

from financehub_shared.core.durations import DAY_SECONDS
from financehub_shared.core.errors import CorruptDataError
from financehub_shared.core.kinds import AssetKind, AssetType
from financehub_shared.core.models import Asset, IndicatorValues, NewsItem, Quality, Quote
from financehub_shared.market.encoding.fields import Fields, dumps
from financehub_shared.market.encoding.record_names import asset_record, indicator_record, news_record, quote_record
from financehub_shared.market.quality.quotes import PRICE_RANGE

#: Digits of one timestamp in a quote's order prefix: microseconds, sufficient until the year 2286.
_TIME_DIGITS = 16
#: The first digits of a timestamp, which state its milliseconds.
MILLISECOND_DIGITS = _TIME_DIGITS - 3
_ORDER = f"%0{_TIME_DIGITS}d" * 2
#: Length of the prefix that `quotes` compares inside Redis.
QUOTE_ORDER_LENGTH = 2 * _TIME_DIGITS
#: A comma would turn a provider's own symbol into two, and a long one would make the request for many symbols fail. An
#: empty one counts as missing.
_OWN_SYMBOL = re.compile(r"[^\s,]{0,60}")
#: Prices that FinanceHub may have written. The range is checked before a price in a minor unit is divided.
STORED_PRICES = (PRICE_RANGE[0] / 1_000, PRICE_RANGE[1])
#: The value of the qualities `corrected` and `unconfirmed` in Redis; the latter also has the field `unconfirmed`.
#: Earlier releases, which run during an upgrade and after a rollback, accept only this value, and ignore the field.
_CORRECTED = "mended"
#: FinanceHub writes no other symbols. Another symbol could make a request for many symbols fail.
_SYMBOL = re.compile(r"[\w.^=&/+:$!@*-]{1,60}", re.ASCII)


def encode_asset(asset: Asset) -> str:
    """Encode an asset without its symbol, which is the hash field."""
    record: dict[str, Any] = {"type": asset.type.value, "name": asset.name, "currency": asset.currency}
    if not asset.active:
        record["active"] = False
    if asset.declared:
        record["declared"] = True
    if asset.provider_symbols:
        record["providers"] = dict(asset.provider_symbols)
    if asset.stated_kind is not None:
        record["kind"] = asset.stated_kind.value
    if asset.aliases:
        record["aliases"] = asset.aliases
    if asset.exchanges:
        record["exchanges"] = asset.exchanges
    return dumps(record)


def decode_asset(symbol: str, raw: bytes) -> Asset:
    """Decode an asset.

    Raises:
        CorruptDataError: A field is missing or invalid.
        NewerRecordError: This release does not know the type or the kind.
    """
    name = asset_record(symbol)
    if not _SYMBOL.fullmatch(symbol):
        raise replace(name, repair="{remove}").corrupt("does not have the name of an asset")
    fields = Fields(name, raw)
    provider_symbols = fields.text_by_name("providers")
    for own in provider_symbols.values():
        if not _OWN_SYMBOL.fullmatch(own):
            raise name.corrupt(f"has {own[:60]!r} as a provider's own symbol")
    return Asset(
        symbol=symbol,
        type=fields.member("type", AssetType),
        name=fields.text("name"),
        currency=fields.text("currency"),
        active=fields.flag("active", default=True),
        provider_symbols=provider_symbols,
        declared=fields.flag("declared", default=False),
        stated_kind=fields.member("kind", AssetKind) if fields.has("kind") else None,
        aliases=fields.texts("aliases"),
        exchanges=fields.texts("exchanges"),
    )


def price_time(quote: Quote) -> int:
    """Return the time of a quote's price in microseconds: the upstream's time, or else the fetch time.

    An upstream time after the fetch time comes from a wrong clock and counts as the fetch time. Otherwise it would
    block all later quotes.
    """
    made = quote.fetched_at if quote.upstream_at is None else min(quote.upstream_at, quote.fetched_at)
    return max(0, round(made * 1e6))


def quote_order(quote: Quote) -> str:
    """Return a string that sorts quotes from old to new: by the time of the price, then by fetch time."""
    return _ORDER % (price_time(quote), max(0, round(quote.fetched_at * 1e6)))


def encode_quote(quote: Quote) -> str:
    """Encode a quote as an order prefix and JSON, without its symbol, which is the hash field."""
    record: dict[str, Any] = {"price": str(quote.price), "currency": quote.currency}
    if quote.upstream_at is not None:
        record["upstream_at"] = quote.upstream_at
    record["fetched_at"] = quote.fetched_at
    record["provider"] = quote.provider
    if quote.change_percent is not None:
        record["change_percent"] = str(quote.change_percent)
    if quote.volume is not None:
        record["volume"] = str(quote.volume)
    if quote.quality is not Quality.GOOD:
        record["quality"] = _CORRECTED
        if quote.quality is Quality.UNCONFIRMED:
            record["unconfirmed"] = True
    if quote.note:
        record["note"] = quote.note
    return quote_order(quote) + dumps(record)


def has_order(raw: bytes) -> bool:
    """Whether an encoded quote begins with a complete order prefix."""
    prefix = raw[:QUOTE_ORDER_LENGTH]
    return len(prefix) == QUOTE_ORDER_LENGTH and prefix.isdigit()


def quote_fetched_at(raw: bytes) -> float:
    """Return the fetch time of an encoded quote in Unix seconds, read from its prefix, which `has_order` confirms."""
    return int(raw[_TIME_DIGITS:QUOTE_ORDER_LENGTH]) / 1e6


def price_day(symbol: str, raw: bytes) -> int:
    """Return the day of an encoded quote's price, since 1970-01-01 in UTC.

    Raises:
        CorruptDataError: The order prefix is missing.
    """
    if not has_order(raw):
        raise _without_order(symbol)
    return int(raw[:_TIME_DIGITS]) // (DAY_SECONDS * 1_000_000)


def _without_order(symbol: str) -> CorruptDataError:
    return quote_record(symbol).corrupt(f"does not begin with {QUOTE_ORDER_LENGTH} digits")


def decode_quote(symbol: str, raw: bytes) -> Quote:
    """Decode a quote. A quality that only a newer release knows counts as unconfirmed.

    Raises:
        CorruptDataError: A field or the order prefix is missing or invalid.
    """
    name = quote_record(symbol)
    if not has_order(raw):
        raise _without_order(symbol)
    fields = Fields(name, raw[QUOTE_ORDER_LENGTH:])
    price = fields.decimal("price")
    if not STORED_PRICES[0] <= price <= STORED_PRICES[1]:
        raise name.corrupt(f"has the price {price:.3E}, which is outside the plausible range")
    quality, note = _quality(fields)
    return Quote(
        symbol=symbol,
        price=price,
        currency=fields.text("currency"),
        upstream_at=fields.time("upstream_at") if fields.has("upstream_at") else None,
        fetched_at=fields.time("fetched_at"),
        provider=fields.text("provider"),
        change_percent=fields.decimal("change_percent") if fields.has("change_percent") else None,
        volume=fields.decimal("volume") if fields.has("volume") else None,
        quality=quality,
        note=note,
    )


def _quality(fields: Fields) -> tuple[Quality, str]:
    """Return the quality and the note."""
    note = fields.text("note", "")
    if not fields.has("quality"):
        return Quality.GOOD, note
    stored = fields.text("quality")
    if fields.flag("unconfirmed", default=False):
        return Quality.UNCONFIRMED, note
    if stored == _CORRECTED:
        return Quality.CORRECTED, note
    try:
        return Quality(stored), note
    except ValueError:
        unknown = f"the quality {stored!r} is of a newer release"
        return Quality.UNCONFIRMED, f"{note}; {unknown}" if note else unknown


def encode_indicator_values(newest: IndicatorValues) -> str:
    """Encode an asset's newest indicator values without its symbol, which is the hash field."""
    record = asdict(newest)
    del record["symbol"]
    return dumps(record)


def decode_indicator_values(symbol: str, raw: bytes) -> IndicatorValues:
    """Decode the newest indicator values.

    Raises:
        CorruptDataError: A field is missing or invalid.
    """
    fields = Fields(indicator_record(symbol), raw)
    return IndicatorValues(
        symbol=symbol,
        engine=fields.text("engine"),
        computed_at=fields.time("computed_at"),
        last_day=fields.day("last_day"),
        values=fields.number_by_name("values"),
    )


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
        CorruptDataError: A field is missing or invalid.
    """
    fields = Fields(news_record(id), raw)
    return NewsItem(
        id=id,
        title=fields.text("title"),
        url=fields.text("url"),
        source=fields.text("source"),
        published_at=fields.time("published_at"),
        fetched_at=fields.time("fetched_at"),
        provider=fields.text("provider"),
        guid=fields.text("guid", ""),
        assets=fields.texts("assets"),
    )
