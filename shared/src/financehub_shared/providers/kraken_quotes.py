"""Reads quotes from Kraken's tickers (`/0/public/Ticker`). Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

from financehub_shared.core.errors import MalformedError, NotFoundError, ProviderError
from financehub_shared.core.models import Asset, Quote
from financehub_shared.providers.evidence import read_evidence
from financehub_shared.providers.kraken_names import keys_of
from financehub_shared.providers.protocols import QuoteBatch
from financehub_shared.providers.transport import parse
from financehub_shared.providers.transport.damaged_json import Damaged
from financehub_shared.providers.transport.elements import Fields

#: Field → index of its value in the array of the field. For `a` and `b`, it is the best offer, for `c` the price of the
#: last trade, and for the other fields the value of the last 24 hours.
_POSITIONS = {"a": 0, "b": 0, "c": 0, "h": 1, "l": 1, "t": 1, "v": 1}


def read_quotes(
    provider: str, pairs: Sequence[tuple[Asset, str]], tickers: Mapping[str, Any], now: float
) -> QuoteBatch:
    """Return the quotes of one answer. A damaged ticker affects only its own pair.

    Args:
        provider: Name of the provider.
        pairs: The requested assets, each with Kraken's name of its pair.
        tickers: The object of the answer: Kraken's key of a pair → ticker.
        now: Time of the fetch in Unix seconds.
    """
    quotes: dict[str, Quote] = {}
    missing: dict[str, ProviderError] = {}
    by_key = {key.upper(): ticker for key, ticker in tickers.items()}
    for asset, pair in pairs:
        try:
            quotes[asset.symbol] = read_quote(provider, asset, pair, by_key, now)
        except ProviderError as error:
            missing[asset.symbol] = error
    return QuoteBatch(quotes, missing)


def read_quote(provider: str, asset: Asset, pair: str, tickers: Mapping[str, Any], now: float) -> Quote:
    """Return the quote of one pair.

    Args:
        provider: Name of the provider.
        asset: The requested asset.
        pair: Kraken's name of its pair.
        tickers: The object of the answer: Kraken's key of a pair → ticker.
        now: Time of the fetch in Unix seconds.

    Raises:
        NotFoundError: The answer leaves the pair out.
        MalformedError: The ticker is damaged.
    """
    key = next((key for key in keys_of(pair) if key in tickers), None)
    if key is None and isinstance(tickers.get(""), Damaged):
        raise MalformedError(provider, f"{pair} is not in the answer, or its key is not JSON ({tickers[''].problem})")
    if key is None:
        raise NotFoundError(provider, f"Kraken does not list the pair {pair}")
    if isinstance(tickers[key], Damaged):
        raise MalformedError(provider, f"{pair}: its ticker is not JSON ({tickers[key].problem})")
    raw = parse.mapping(provider, tickers[key], f"{pair}: the ticker")
    values = {field: _item(raw.get(field), position) for field, position in _POSITIONS.items()}
    ticker = Fields(provider, pair, {**values, "o": raw.get("o")})
    return Quote(
        symbol=asset.symbol,
        price=ticker.number("c"),
        currency=asset.currency,
        # Kraken returns neither the time of the last trade nor the price 24 h ago.
        upstream_at=None,
        fetched_at=now,
        provider=provider,
        volume=ticker.optional_number("v"),
        quality=ticker.quality,
        note=ticker.note,
        # The open is the price at the beginning of the day in UTC.
        evidence=read_evidence(ticker.values, previous_close="o", low="l", high="h", bid="b", ask="a", trades="t"),
    )


def _item(values: Any, position: int) -> Any:
    """Return one item of an array. If there is no such item, return the value itself, which `Fields` refuses."""
    return values[position] if isinstance(values, list) and len(values) > position else values
