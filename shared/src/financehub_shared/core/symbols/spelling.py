"""Finds the canonical spelling of a symbol as a user wrote it."""

import re
import unicodedata
from collections.abc import Iterable
from typing import NamedTuple
from urllib.parse import unquote

from financehub_shared.core.kinds import AssetKind, AssetType
from financehub_shared.core.symbols.futures import read_future
from financehub_shared.core.symbols.listings import names_exchange, read_index, read_listing
from financehub_shared.core.symbols.numbers import split_number
from financehub_shared.core.symbols.pairs import has_quote, read_coin, read_coin_among_stocks, read_fx

#: Characters that users copy together with a symbol from a text or a table.
_BEFORE, _AFTER = " \t\n'\"`“”‘’«»()[]{}<>*,;#$", " \t\n'\"`“”‘’«»()[]{}<>,;:?.-/"
_DASHES = dict.fromkeys(map(ord, "‐‑‒–—−"), "-")
#: Cyrillic and Greek letters that look like Latin ones.
_LOOK_ALIKES = str.maketrans(
    "АВЕЅІЈКМНОРСТУХаеорсухіѕјΑΒΕΖΗΙΚΜΝΟΡΤΥΧο",
    "ABESIJKMHOPCTYXaeopcyxisjABEZHIKMNOPTYXo",
)
#: The page of an asset: `https://finance.yahoo.com/quote/BRK-B/`.
_PAGE = re.compile(r"https?://\S+?/(?:quote|trade)/([^/?#\s]+)\S*")
#: The market sector that Bloomberg writes after a symbol. The other sectors show the kind of the symbol.
_SECTOR = re.compile(r" (?:EQUITY|CORP)$", re.IGNORECASE)
#: Bitfinex calls Tether UST.
_BITFINEX = re.compile(r"(?:t|BITFINEX:)(?=[A-Z0-9]{6})([A-Z0-9]+?)(UST)?")
#: Reuters writes a class of shares (`BRKb.N`), a preferred share (`BACpL`) and a future (`CLc1`) with a small letter.
_REUTERS = (
    (re.compile(r"([A-Z]{2,5})([a-z])((?:\.[A-Z]+)?)"), r"\1.\2\3"),
    (re.compile(r"([A-Z]{2,5})p([A-Z])((?:\.[A-Z]+)?)"), r"\1.PR\2\3"),
    (re.compile(r"([A-Z]{1,3})c1"), r"\g<1>1!"),
)


class Spelling(NamedTuple):
    """A canonical symbol and the type of assets to which it belongs."""

    symbol: str
    type: AssetType


def find_spellings(text: str, type: AssetType, kind: AssetKind | None = None) -> list[Spelling]:
    """Return the canonical symbols that a user may mean, best first, or only the text if it is canonical.

    The text is not checked against the pattern of symbols: if it follows no known notation, it is returned unchanged.

    Args:
        text: The symbol as the user wrote it.
        type: The type that the user stated. A returned symbol has the other type if the text can only mean that type.
        kind: The kind that the user stated. If it is None, the name of an index (`DAX`) is not read as a ticker.
    """
    plain = clean_symbol(text)
    found = _crypto(plain) if type is AssetType.CRYPTO else _stock(_read_case(plain), kind)
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


def clean_symbol(text: str) -> str:
    """Return a text in plain characters, without those that are not part of the symbol."""
    if page := _PAGE.fullmatch(text.strip()):
        text = page[1]
    plain = (
        unicodedata.normalize("NFKC", unquote(text).replace("&amp;", "&")).translate(_DASHES).translate(_LOOK_ALIKES)
    )
    plain = " ".join("".join(each for each in plain if unicodedata.category(each) != "Cf").split())
    plain = plain.lstrip(_BEFORE).rstrip(_AFTER)
    if bitfinex := _BITFINEX.fullmatch(plain):
        plain = bitfinex[1] + ("USDT" if bitfinex[2] else "")
    return _SECTOR.sub("", plain)


def _read_case(text: str) -> str:
    """Return a text in capitals. Small letters after capitals have a meaning in Reuters' notation."""
    for pattern, written in _REUTERS:
        if match := pattern.fullmatch(text):
            return match.expand(written).upper()
    return text.upper()


def _crypto(plain: str) -> list[Spelling]:
    text = plain.upper()
    other = _stock(_read_case(plain), None)
    is_share = split_number(text) or (names_exchange(text) and not has_quote(text))
    if text.startswith("^") or "=" in text or is_share:
        return other
    symbol = read_coin(text)
    if symbol is None:
        return [each for each in other if each.symbol != text or "." in text]
    return [Spelling(symbol, AssetType.STOCK if "=" in symbol else AssetType.CRYPTO)]


def _stock(text: str, kind: AssetKind | None) -> list[Spelling]:
    is_share = kind in {AssetKind.EQUITY, AssetKind.FUND}
    symbols = [] if is_share else _read_other_kinds(text)
    if not symbols and not is_share and (coin := read_coin_among_stocks(text)):
        return [Spelling(coin, AssetType.CRYPTO)]
    return [Spelling(each, AssetType.STOCK) for each in symbols or read_listing(text)]


def _read_other_kinds(text: str) -> list[str]:
    """Return the canonical symbols of an index, a currency pair or a future."""
    symbol = read_index(text) or read_fx(text)
    return [symbol] if symbol else read_future(text)
