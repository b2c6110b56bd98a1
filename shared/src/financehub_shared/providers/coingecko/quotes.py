"""Reads quotes from CoinGecko's list of coins (`/api/v3/coins/markets`). Pure."""

from collections.abc import Sequence
from decimal import Context
from typing import Any

from financehub_shared.core.errors import NotFoundError, ProviderError
from financehub_shared.core.models import Asset, Quote
from financehub_shared.providers.coingecko.ids import coin_id
from financehub_shared.providers.evidence import read_evidence
from financehub_shared.providers.protocols import QuoteBatch
from financehub_shared.providers.transport import parse
from financehub_shared.providers.transport.elements import Elements, Fields

#: Volumes are computed with 16 significant digits. A fixed number of decimal places overflows for cheap coins.
_VOLUME = Context(prec=16)


def read_quotes(provider: str, assets: Sequence[Asset], coins: Sequence[Any], now: float) -> QuoteBatch:
    """Return the quotes of one answer. A damaged element affects only its own coin.

    Args:
        provider: Name of the provider.
        assets: The requested assets, all of which have a coin id.
        coins: The array of the answer.
        now: Time of the fetch in Unix seconds.
    """
    found = Elements(provider, coins, "id")
    quotes: dict[str, Quote] = {}
    missing: dict[str, ProviderError] = {}
    for asset in assets:
        try:
            quotes[asset.symbol] = _read_quote(provider, asset, found, now)
        except ProviderError as error:
            missing[asset.symbol] = error
    return QuoteBatch(quotes, missing)


def _read_quote(provider: str, asset: Asset, coins: Elements, now: float) -> Quote:
    id = coin_id(asset) or ""
    row = coins.find(id)
    if row is None:
        detail = f"CoinGecko does not know the coin id {id!r}; correct the providers of {asset.symbol}"
        raise NotFoundError(provider, detail)
    _check_coin(provider, asset, id, row.get("symbol"))
    coin = Fields(provider, id, row)
    price = coin.number("current_price")
    turnover = coin.optional_number("total_volume")
    return Quote(
        symbol=asset.symbol,
        price=price,
        currency=asset.currency,
        upstream_at=coin.iso_seconds("last_updated"),
        fetched_at=now,
        provider=provider,
        change_percent=coin.optional_number("price_change_percentage_24h"),
        # CoinGecko returns the volume in the currency, and FinanceHub stores it in coins.
        volume=_VOLUME.divide(turnover, price) if turnover is not None and price > 0 else None,
        quality=coin.quality,
        note=coin.note,
        evidence=read_evidence(row, change=(price, "price_change_24h"), low="low_24h", high="high_24h"),
    )


def _check_coin(provider: str, asset: Asset, id: str, symbol: Any) -> None:
    """Check that the coin still has the asset's symbol. CoinGecko keeps the id of a coin that was renamed or replaced.

    An id that is set under the providers of the asset is not checked.

    Raises:
        NotFoundError: The coin has another symbol.
    """
    is_from_table = "coingecko" not in asset.provider_symbols
    if is_from_table and isinstance(symbol, str) and symbol.upper() != asset.symbol.rpartition("-")[0]:
        raise NotFoundError(
            provider,
            f"the symbol of the coin id {id!r} is now {parse.describe(symbol)}; if it is the right coin, set "
            f"`coingecko: {id}` under the providers of {asset.symbol}",
        )
