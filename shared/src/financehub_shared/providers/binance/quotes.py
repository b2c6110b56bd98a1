"""Reads quotes from Binance's tickers of the last 24 hours (`/api/v3/ticker/24hr`). Pure."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from financehub_shared.core.errors import NotFoundError, ProviderError
from financehub_shared.core.models import Asset, Quote
from financehub_shared.providers.evidence import read_evidence
from financehub_shared.providers.protocols import QuoteBatch
from financehub_shared.providers.transport.elements import Elements, Fields
from financehub_shared.providers.usd import UsdtRate


def is_converted(pair: str, asset: Asset) -> bool:
    """Whether the prices of a pair must be converted from USDT to the currency of the asset."""
    return asset.currency == "USD" and pair.endswith("USDT")


def read_quotes(
    provider: str,
    pairs: Sequence[tuple[Asset, str]],
    tickers: Sequence[Any],
    rate: UsdtRate | ProviderError | None,
    now: float,
) -> QuoteBatch:
    """Return the quotes of one answer.

    A damaged ticker affects only its own pair, and a missing rate affects only the pairs in USDT.

    Args:
        provider: Name of the provider.
        pairs: The requested assets, each with Binance's name of its pair.
        tickers: The array of the answer.
        rate: Rate of USDT in USD, or the error that says why it is unknown. None if no pair needs it.
        now: Time of the fetch in Unix seconds.
    """
    found = Elements(provider, tickers, "symbol")
    quotes: dict[str, Quote] = {}
    missing: dict[str, ProviderError] = {}
    for asset, pair in pairs:
        try:
            ticker = found.find(pair)
            if ticker is None:
                raise NotFoundError(provider, f"Binance does not list the pair {pair}")
            conversion = rate if is_converted(pair, asset) else None
            if isinstance(conversion, ProviderError):
                raise conversion
            quotes[asset.symbol] = _read_quote(provider, asset, Fields(provider, pair, ticker), conversion, now)
        except ProviderError as error:
            missing[asset.symbol] = error
    return QuoteBatch(quotes, missing)


def _read_quote(provider: str, asset: Asset, ticker: Fields, rate: UsdtRate | None, now: float) -> Quote:
    factor, note = Decimal(1), ""
    if rate is not None:
        factor = rate.value
        age = f", {(now - rate.at) / 3600:.1f} h old" if now - rate.at > 3600 else ""
        note = f"{ticker.name} at {rate.value} USD per USDT ({rate.source}{age})"
    return Quote(
        symbol=asset.symbol,
        price=ticker.number("lastPrice") * factor,
        currency=asset.currency,
        upstream_at=ticker.seconds("closeTime", per_second=1_000),
        fetched_at=now,
        provider=provider,
        change_percent=ticker.optional_number("priceChangePercent"),
        volume=ticker.optional_number("volume"),
        quality=ticker.quality,
        note="; ".join(filter(None, (note, ticker.note))),
        evidence=read_evidence(
            ticker.values,
            factor,
            previous_close="prevClosePrice",
            low="lowPrice",
            high="highPrice",
            bid="bidPrice",
            ask="askPrice",
            trades="count",
        ),
    )
