"""Requires that names exist which a user writes, and finds the names that the user may have meant."""

import difflib
from collections.abc import Iterable

from financehub_shared.core.errors import UnknownNameError
from financehub_shared.core.symbols.spelling import suggest_symbols

#: Maximum number of names that are suggested.
_SUGGESTED = 3
#: How much less similar than the best name a further one may be. In many sets, all names share a beginning or an end,
#: and are therefore similar to every misspelled name.
_FURTHER = 0.1
#: If no name is similar and there are at most this many, the message lists all of them.
_LISTED = 12


def similar_names(name: str, known_names: Iterable[str]) -> list[str]:
    """Return the known names that the user may have meant, best first: the most similar one, and those that are close.

    Args:
        name: The name that the user wrote.
        known_names: All valid names.
    """
    near = difflib.get_close_matches(name, list(known_names), n=_SUGGESTED)
    similarity = {other: difflib.SequenceMatcher(None, other, name).ratio() for other in near}
    return [other for other in near if similarity[other] >= similarity[near[0]] - _FURTHER]


def require_known(kind: str, name: str, known_names: Iterable[str]) -> str:
    """Return a name if it is known.

    Args:
        kind: Kind of object that the name identifies, for the error message.
        name: The name that the user wrote.
        known_names: All valid names.

    Raises:
        UnknownNameError: The name is unknown. The message suggests similar names or, if there are few names, lists all.
    """
    names = sorted(known_names)
    if name in names:
        return name
    similar = similar_names(name, names)
    if similar:
        raise UnknownNameError(kind, name, similar)
    listed = f"known names: {', '.join(names) or 'none'}"
    hint = listed if len(names) <= _LISTED else f"none of the {len(names)} known names is similar"
    raise UnknownNameError(kind, name, hint=hint)


def require_symbol(symbol: str, known: Iterable[str]) -> str:
    """Return the symbol of an asset, which the user may write in lower case.

    Args:
        symbol: The symbol that the user wrote.
        known: The symbols of all assets.

    Raises:
        UnknownNameError: The symbol is unknown. The message suggests symbols that the user may have meant.
    """
    known = set(known)
    near = [] if symbol.upper() in known else suggest_symbols(symbol, known)
    if near:
        raise UnknownNameError("symbol", symbol, near)
    return require_known("symbol", symbol.upper(), known)
