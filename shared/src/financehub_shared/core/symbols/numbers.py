"""Reads the codes of Asian shares, which are numbers: `7203`, `SH600519`, `HK.00700`, `A005930`, `130A`.

A number alone does not show its exchange, so every exchange whose codes have this length is proposed. Shares in
the US do not have numbers.
"""

import re

from financehub_shared.core.symbols.exchanges import BY_SUFFIX, EXCHANGES, Exchange

#: Prefix of a number → suffixes of its exchanges. Korean codes begin with A for shares.
_PREFIXES = {"SH": ("SS",), "SZ": ("SZ",), "HK": ("HK",), "A": ("KS", "KQ")}
_PREFIXED = re.compile(r"(SH|SZ|HK)\.?(\d{5,6})|(A)(\d{6})")
#: Tokyo has run out of numbers, so newer codes end in a letter.
_TOKYO = re.compile(r"\d{3}[A-Z]")


def split_number(text: str) -> tuple[str, tuple[Exchange, ...]] | None:
    """Return the number of a share and the exchanges that can have it. None if the text is not such a number.

    Args:
        text: The symbol as a user wrote it, in capitals.
    """
    if match := _PREFIXED.fullmatch(text):
        prefix, number = match[1] or match[3], match[2] or match[4]
        return number, tuple(BY_SUFFIX[suffix] for suffix in _PREFIXES[prefix])
    if _TOKYO.fullmatch(text):
        return text, (BY_SUFFIX["T"],)
    if not text.isdigit() or len(text) > 6:
        return None
    if len(text) == 5:
        return text, (BY_SUFFIX["HK"],)  # the exchange writes five digits, and Yahoo four
    digits = 4 if len(text) <= 4 else 6
    return text, tuple(exchange for exchange in EXCHANGES if exchange.digits == digits)
