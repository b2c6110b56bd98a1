"""Recognizes identifiers of securities that users paste instead of a symbol: ISIN, CUSIP, SEDOL and FIGI.

An identifier is not a symbol: the same ISIN is traded on many exchanges, in several currencies. Except for the FIGI,
which no other text resembles, the check digit must be right, so that a symbol is not mistaken for an identifier.
"""

import re

_ISIN = re.compile(r"[A-Z]{2}[A-Z0-9]{9}[0-9]")
_CUSIP = re.compile(r"[A-Z0-9]{8}[0-9]")
#: A SEDOL has seven digits, or begins with B. It has no vowels.
_SEDOL = re.compile(r"[0-9]{7}|B[0-9B-DF-HJ-NP-TV-Z]{5}[0-9]")
_SEDOL_WEIGHTS = (1, 3, 1, 7, 3, 9, 1)
_FIGI = re.compile(r"BBG[A-Z0-9]{9}")


def name_identifier(text: str) -> str | None:
    """Return what kind of identifier a text is, such as `ISIN`, or None if it is not an identifier.

    Args:
        text: The text in capitals.
    """
    if _FIGI.fullmatch(text):
        return "FIGI"
    if _ISIN.fullmatch(text) and _checks(reversed("".join(str(int(each, 36)) for each in text))):
        return "ISIN"
    if _CUSIP.fullmatch(text) and _cusip_sum(text) % 10 == 0:
        return "CUSIP"
    if _SEDOL.fullmatch(text):
        total = sum(weight * int(each, 36) for weight, each in zip(_SEDOL_WEIGHTS, text, strict=True))
        return "SEDOL" if total % 10 == 0 else None
    return None


def _checks(digits: "reversed[str]") -> bool:
    """Whether the Luhn sum of digits, which begin with the check digit, is a multiple of 10."""
    return sum(sum(divmod(int(digit) * (1 + place % 2), 10)) for place, digit in enumerate(digits)) % 10 == 0


def _cusip_sum(text: str) -> int:
    """Return the sum of a CUSIP's digits, in which the value of every second character is doubled."""
    return sum(sum(divmod(int(each, 36) * (1 + place % 2), 10)) for place, each in enumerate(text))
