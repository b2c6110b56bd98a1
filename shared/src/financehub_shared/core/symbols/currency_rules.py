"""Derives the currency of an asset from its canonical symbol.

Each function returns an ISO 4217 code of a major unit, or None if the symbol does not show the currency.
"""

import re

from financehub_shared.core.symbols.currencies import CURRENCIES, METALS, QUOTE_COINS
from financehub_shared.core.symbols.exchanges import split_suffix
from financehub_shared.core.symbols.indices import index_currency

_PAIR = re.compile(r"[A-Z0-9]+-([A-Z]{3})")
#: A ticker in the US has at most five letters, optionally a hyphen and a class. Yahoo's codes of options and
#: funds have digits, and only those of funds begin with one.
_US_TICKER = re.compile(r"(?:[A-Z]{1,5}|[A-Z]+[0-9][A-Z0-9]*|0P[0-9A-Z]{8})(?:-[A-Z]{1,3})?")
_FX = re.compile(r"([A-Z]{3})?([A-Z]{3})=X")
#: Root → currency, for futures on US exchanges that are not priced in dollars.
_FUTURES = {"NIY": "JPY"}


def pair_currency(symbol: str) -> str | None:
    """Return the currency of a coin: `BTC-EUR` → EUR; `ETH-BTC`, a price in another coin, → BTC."""
    match = _PAIR.fullmatch(symbol)
    return match[1] if match and (match[1] in CURRENCIES or match[1] in QUOTE_COINS) else None


def fx_currency(symbol: str) -> str | None:
    """Return the currency in which a currency is priced: `EURGBP=X` → GBP; `JPY=X`, the price of a dollar, → JPY."""
    match = _FX.fullmatch(symbol)
    if match is None:
        return None
    base, quote = match[1] or "USD", match[2]
    return quote if quote in CURRENCIES and (base in CURRENCIES or base in METALS) and base != quote else None


def listing_currency(symbol: str) -> str | None:
    """Return the currency of an exchange: `VOD.L` → GBP, `AAPL` → USD. A few of its listings have another currency.

    The result is None if a symbol without a suffix cannot be a ticker in the US (`M&M`), because its suffix is missing.
    """
    code, exchange = split_suffix(symbol)
    if code == symbol and not _US_TICKER.fullmatch(symbol):
        return None
    return exchange.currency if exchange else None


def quoted_index_currency(symbol: str) -> str | None:
    """Return the currency of an index: `^N225` → JPY, `^TA90.TA` → ILS."""
    return index_currency(symbol) or (listing_currency(symbol) if "." in symbol else None)


def future_currency(symbol: str) -> str | None:
    """Return the currency of a future: `GC=F` → USD, `ESZ26.CME` → USD."""
    if symbol.endswith("=F"):
        return _FUTURES.get(symbol.removesuffix("=F"), "USD")  # Yahoo has only futures of US exchanges
    return listing_currency(symbol)
