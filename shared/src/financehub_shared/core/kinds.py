"""Defines the kinds of assets and derives an asset's kind from its symbol."""

import re
from enum import StrEnum


class AssetType(StrEnum):
    """The two types of assets, each of which has its own price task."""

    CRYPTO = "crypto"
    STOCK = "stock"


class AssetKind(StrEnum):
    """What an asset is. Every asset of the type `crypto` is a coin; the type `stock` has all other kinds."""

    COIN = "coin"
    EQUITY = "equity"
    FUND = "fund"
    INDEX = "index"
    FX = "fx"
    FUTURE = "future"


#: A US mutual fund has five letters of which the last is X (`VFIAX`).
_MUTUAL_FUND = re.compile(r"[A-Z]{4}X")


def derive_kind(symbol: str, type: AssetType) -> AssetKind:
    """Return the kind that the spelling of a canonical symbol shows.

    Exchange-traded funds are spelled like shares, so they are equities unless the user states `kind: fund`.

    Args:
        symbol: Canonical symbol: `^GSPC` is an index, `EURUSD=X` a currency pair, `GC=F` a future.
        type: Type of the asset.
    """
    if type is AssetType.CRYPTO:
        return AssetKind.COIN
    if symbol.startswith("^"):
        return AssetKind.INDEX
    if symbol.endswith("=X"):
        return AssetKind.FX
    if symbol.endswith("=F"):
        return AssetKind.FUTURE
    return AssetKind.FUND if _MUTUAL_FUND.fullmatch(symbol) else AssetKind.EQUITY
