"""Finds assets by a part of their symbol or name."""


def contains(text: str, symbol: str, name: str) -> bool:
    """Whether a symbol or a name contains a text, in upper or lower case. An empty text is in all of them."""
    wanted = text.strip().casefold()
    return wanted in symbol.casefold() or wanted in name.casefold()
