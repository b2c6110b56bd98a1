"""Finds the symbols of well-known companies whose name a user wrote instead of a symbol, such as Apple."""

import re
from functools import cache

from financehub_shared.core.kinds import AssetType
from financehub_shared.core.symbols.coins import COIN_NAMES, KNOWN_COINS
from financehub_shared.core.symbols.currency_rules import pair_currency
from financehub_shared.core.symbols.indices import INDEX_NAMES
from financehub_shared.core.symbols.spelling import Spelling, clean_symbol
from financehub_shared.market.links.known_assets import known_assets

#: The legal form at the end of a company's name.
_LEGAL_FORM = re.compile(
    r",? (?:ag|co|corp|corporation|company|group|inc|incorporated|limited|ltd|n\.?v|plc|s\.?a|se)$"
)
#: A shorter text is a ticker: HP is Helmerich & Payne, although headlines use this name for HPQ.
_NAME_LENGTH = 5


def find_companies(text: str) -> list[Spelling]:
    """Return the symbols of the company that has this name. The result is empty if the text is not such a name.

    Args:
        text: The symbol as the user wrote it.
    """
    plain = clean_symbol(text)
    if len(plain) < _NAME_LENGTH:
        return []
    is_symbol = any(plain.upper() in table for table in (known_assets(), KNOWN_COINS, COIN_NAMES, INDEX_NAMES))
    symbols = () if is_symbol else _symbols_by_name().get(_LEGAL_FORM.sub("", plain.lower()), ())
    return [Spelling(symbol, AssetType.STOCK) for symbol in symbols]


@cache
def _symbols_by_name() -> dict[str, tuple[str, ...]]:
    """Return name of a company in lower case → its symbols. Indices, coins, currencies and futures are left out."""
    found: dict[str, tuple[str, ...]] = {}
    for symbol, known in known_assets().items():
        if re.fullmatch(r"[A-Z&-]+(?:\.[A-Z]+)?", symbol) and pair_currency(symbol) is None and symbol[0] != "-":
            for name in known.names:
                found[name.lower()] = (*found.get(name.lower(), ()), symbol)
    return found
