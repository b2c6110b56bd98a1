"""Finds the canonical spelling of a symbol as a user wrote it."""

import re
import unicodedata
from collections.abc import Iterable
from typing import NamedTuple

from financehub_shared.core.kinds import AssetKind, AssetType
from financehub_shared.core.symbols.listings import read_future, read_index, read_listing
from financehub_shared.core.symbols.pairs import read_coin, read_coin_among_stocks, read_fx

#: Characters that are copied along with a symbol from a text or a table.
_BEFORE, _AFTER = " \t\n'\"`“”‘’«»()[]{}<>*,;#$", " \t\n'\"`“”‘’«»()[]{}<>,;:?."
_DASHES = dict.fromkeys(map(ord, "‐‑‒–—−"), "-")
#: The market sector that Bloomberg writes after a symbol. The others say which kind of symbol it is.
_SECTOR = re.compile(r" (?:EQUITY|CORP)$")
_BITFINEX = re.compile(r"t([A-Z0-9]{6,})")


class Spelling(NamedTuple):
    """A canonical symbol and the type of assets to which it belongs."""

    symbol: str
    type: AssetType


def find_spellings(text: str, type: AssetType, kind: AssetKind | None = None) -> list[Spelling]:
    """Return the canonical symbols that a user may mean, best first, or the text alone if it is canonical.

    The text is not checked against the pattern of symbols: if it follows no known notation, it is returned as it is.

    Args:
        text: The symbol as the user wrote it.
        type: The type that the user stated. A returned symbol has another type if the text can only belong to that.
        kind: The kind that the user stated. Without one, a name of an index (`DAX`) is not read as a ticker.
    """
    written = _clean(text)
    found = _crypto(written) if type is AssetType.CRYPTO else _stock(written, kind)
    own = Spelling(text, type)
    return [own] if own in found else found


def suggest_symbols(text: str, known: Iterable[str]) -> list[str]:
    """Return the known symbols that a user may mean, best first.

    Args:
        text: A symbol that is unknown, as the user wrote it.
        known: The symbols of all assets.
    """
    names = set(known)
    found = (spelling.symbol for type in AssetType for spelling in find_spellings(text, type))
    return [symbol for symbol in dict.fromkeys(found) if symbol in names]


def _clean(text: str) -> str:
    """Return a text in capitals, in plain characters, and without what does not belong to the symbol."""
    plain = " ".join(unicodedata.normalize("NFKC", text).translate(_DASHES).split())
    plain = plain.lstrip(_BEFORE).rstrip(_AFTER)
    if bitfinex := _BITFINEX.fullmatch(plain):
        plain = bitfinex[1]
    return _SECTOR.sub("", plain.upper())


def _crypto(text: str) -> list[Spelling]:
    if text.startswith("^") or "=" in text:
        return [Spelling(text, AssetType.STOCK)]
    symbol = read_coin(text)
    if symbol is None:
        return [Spelling(each, AssetType.STOCK) for each in read_listing(text) if "." in each]
    return [Spelling(symbol, AssetType.STOCK if "=" in symbol else AssetType.CRYPTO)]


def _stock(text: str, kind: AssetKind | None) -> list[Spelling]:
    is_share = kind in {AssetKind.EQUITY, AssetKind.FUND}
    symbol = None if is_share else read_future(text) or read_index(text) or read_fx(text)
    if symbol is not None:
        return [Spelling(symbol, AssetType.STOCK)]
    if not is_share and (coin := read_coin_among_stocks(text)):
        return [Spelling(coin, AssetType.CRYPTO)]
    return [Spelling(each, AssetType.STOCK) for each in read_listing(text)]
