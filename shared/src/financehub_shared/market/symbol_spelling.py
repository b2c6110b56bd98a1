"""Checks that a symbol is written in the canonical spelling, and proposes that spelling for other notations."""

import re
import unicodedata
from collections.abc import Sequence

from financehub_shared.core.kinds import KINDS, AssetKind, AssetType, derive_kind
from financehub_shared.core.symbols.coins import KNOWN_COINS
from financehub_shared.core.symbols.identifiers import name_identifier
from financehub_shared.core.symbols.pattern import SYMBOL_PATTERN
from financehub_shared.core.symbols.spelling import Spelling, clean_symbol, find_spellings
from financehub_shared.market.company_names import find_companies

#: Kinds for which many sources write a name without a mark of the kind, such as DAX.
_NAMED_KINDS = frozenset({AssetKind.INDEX, AssetKind.FX, AssetKind.FUTURE})


def check_spelling(symbol: str, type: AssetType | None, kind: AssetKind | None) -> None:
    """Check that a symbol is canonical.

    Args:
        symbol: The symbol as the user wrote it.
        type: The type that the user stated, or None if it is invalid.
        kind: The kind that the user stated.

    Raises:
        ValueError: The symbol is not canonical. The message contains the right spelling, if it can be found. Every
            proposed symbol is accepted together with the proposed type.
    """
    if identifier := name_identifier(clean_symbol(symbol).upper()):
        raise ValueError(
            f"{symbol} is not a symbol, but the {identifier} of a security; write the symbol of one of its "
            "listings, such as AAPL or VOD.L"
        )
    if type is not None:
        own = Spelling(symbol, type)
        spellings = find_companies(symbol) or find_spellings(symbol, type, kind)
        usable = [each for each in spellings if each == own or _is_usable(each)]
        if usable and own not in usable:
            raise ValueError(_proposal(symbol, type, usable))
    if not re.fullmatch(SYMBOL_PATTERN, symbol):
        raise ValueError(
            f"symbol {symbol!r} is invalid: use capitals, digits and . - ^ = & _ only, as in BTC-USD, AAPL or VOD.L"
            f"{_foreign_character(symbol)}"
        )
    if _has_misplaced_equals_sign(symbol):
        raise ValueError(f"{symbol} is invalid: only currency pairs (EURUSD=X) and futures (GC=F) have an equals sign")


def _has_misplaced_equals_sign(symbol: str) -> bool:
    return "=" in symbol and not symbol.endswith(("=X", "=F"))


def _is_usable(spelling: Spelling) -> bool:
    """Whether an entry that consists of a proposed symbol and its type is valid.

    A share that has the name of an index also needs its kind. The message about it says so.
    """
    symbol, type = spelling
    if not re.fullmatch(SYMBOL_PATTERN, symbol) or KINDS[derive_kind(symbol, type)].currency(symbol) is None:
        return False
    if _has_misplaced_equals_sign(symbol) or name_identifier(symbol) or find_companies(symbol):
        return False
    found = find_spellings(symbol, type)
    return spelling in found or any(derive_kind(each.symbol, each.type) is AssetKind.INDEX for each in found)


def _foreign_character(text: str) -> str:
    """Return a hint that names the first character that is not ASCII, which can look like another or be invisible."""
    foreign = next((each for each in text if not each.isascii()), "")
    return f" ({foreign!r} is {unicodedata.name(foreign, 'an unknown character')})" if foreign else ""


def _proposal(symbol: str, type: AssetType, spellings: Sequence[Spelling]) -> str:
    """Return the message that proposes the canonical spellings of a symbol."""
    best = spellings[0]
    names = " or ".join(each.symbol for each in spellings)
    is_plain = symbol.isascii() and symbol.isprintable() and symbol == symbol.strip()
    text = symbol if is_plain else f"{symbol!r}{_foreign_character(symbol)}"
    if best.type is type:
        is_ticker = re.fullmatch("[A-Z]{1,5}", symbol) and derive_kind(best.symbol, type) in _NAMED_KINDS
        other = "; if you mean a share or a fund of this name, set its kind (equity or fund)" if is_ticker else ""
        if type is AssetType.CRYPTO and symbol.isalpha() and best.symbol.partition("-")[0] not in KNOWN_COINS:
            other = "; if you mean a share or a fund, set the type stock"
        return f"write {names} instead of {text}{other}"
    written = f"{text} is" if symbol == best.symbol else f"{text} is {names},"
    return f"{written} an asset of the type {best.type}, not {type}; write {names} and the type {best.type}"
