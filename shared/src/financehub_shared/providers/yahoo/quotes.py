"""Parses Yahoo's quotes (`v7/finance/quote`). Pure.

Yahoo publishes no documentation. The fields are taken from recorded responses (February 2025).
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from financehub_shared.core.errors import NotFoundError, ProviderError
from financehub_shared.core.kinds import AssetType
from financehub_shared.core.models import Asset, Quote, QuoteEvidence
from financehub_shared.core.units import to_major_unit
from financehub_shared.providers.evidence import read_evidence
from financehub_shared.providers.protocols import QuoteBatch
from financehub_shared.providers.transport import parse
from financehub_shared.providers.transport.elements import Elements, Fields
from financehub_shared.providers.yahoo.parse import document, own_symbol, spellings

#: Requested fields. Without this list, a response has 80 fields per symbol.
FIELDS = (
    "currency,regularMarketPrice,regularMarketTime,regularMarketChange,regularMarketChangePercent,regularMarketVolume,"
    "regularMarketPreviousClose,regularMarketDayLow,regularMarketDayHigh,bid,ask,marketState"
)


def read_quotes(provider: str, assets: Sequence[Asset], body: bytes, now: float) -> QuoteBatch:
    """Return the quotes of one response.

    Args:
        provider: Name of the provider.
        assets: The requested assets.
        body: The response.
        now: Time of the fetch in Unix seconds.

    Raises:
        ProviderError: See `document`.
    """
    result = parse.sequence(provider, document(provider, body, "quoteResponse", "result").get("result"), "result")
    rows = Elements(provider, result, "symbol")
    quotes: dict[str, Quote] = {}
    missing: dict[str, ProviderError] = {}
    for asset in assets:
        try:
            symbol = own_symbol(asset) or asset.symbol
            row = next(filter(None, map(rows.find, spellings(symbol))), None)
            quotes[asset.symbol] = _read_quote(provider, asset, symbol, row, now)
        except ProviderError as error:
            missing[asset.symbol] = error
    return QuoteBatch(quotes, missing)


def _read_quote(provider: str, asset: Asset, symbol: str, row: Mapping[str, Any] | None, now: float) -> Quote:
    """Return one row as a quote in the major unit."""
    if row is None:
        raise NotFoundError(provider, f"Yahoo does not know the symbol {symbol}; it may be misspelled or delisted")
    if "regularMarketPrice" not in row:
        kind = parse.describe(row.get("quoteType"))
        detail = f"{symbol} has no regularMarketPrice (quoteType {kind}); the symbol may be delisted"
        raise NotFoundError(provider, detail)
    values = Fields(provider, symbol, row)
    currency, per_unit = to_major_unit(values.currency("currency"))
    price = values.number("regularMarketPrice") / per_unit
    volume = values.optional_number("regularMarketVolume")
    if volume is not None and asset.type is AssetType.CRYPTO:
        volume = volume / price if price > 0 else None  # Yahoo returns the turnover of a coin in its currency
    return Quote(
        symbol=asset.symbol,
        price=price,
        currency=currency,
        upstream_at=None if row.get("regularMarketTime") is None else values.seconds("regularMarketTime"),
        fetched_at=now,
        provider=provider,
        change_percent=values.optional_number("regularMarketChangePercent"),
        volume=volume,
        quality=values.quality,
        note=values.note,
        evidence=_evidence(asset, row, price, Decimal(1) / per_unit),
    )


def _evidence(asset: Asset, row: Mapping[str, Any], price: Decimal, factor: Decimal) -> QuoteEvidence:
    # For a coin, Yahoo's previous close is the price at midnight in UTC, but its change covers the last 24 hours.
    is_coin = asset.type is AssetType.CRYPTO
    return read_evidence(
        row,
        factor,
        previous_close="regularMarketPreviousClose",
        change=(price, "regularMarketChange") if is_coin else None,
        low="regularMarketDayLow",
        high="regularMarketDayHigh",
        bid="bid",
        ask="ask",
        market_state="marketState",
    )
