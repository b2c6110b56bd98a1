"""Reads the symbols of shares, funds and indices as other sources write them.

`BRK.B`, `VOD LN` (Bloomberg), `LON:VOD` (Google), `AAPL.OQ` (Reuters), `VOD-GB` (FactSet), `HK.00700`, `.SPX`, `DAX`.
"""

import re
from collections.abc import Mapping

from financehub_shared.core.symbols.exchanges import (
    BY_BLOOMBERG_CODE,
    BY_CODE,
    BY_COUNTRY,
    BY_SUFFIX,
    Exchange,
)
from financehub_shared.core.symbols.indices import INDEX_CURRENCIES, INDEX_NAMES
from financehub_shared.core.symbols.numbers import split_number

_US, _TORONTO, _MEXICO, _INDIA = BY_SUFFIX[""], BY_SUFFIX["TO"], BY_SUFFIX["MX"], BY_SUFFIX["NS"]
_BRAZIL, _HONG_KONG = BY_SUFFIX["SA"], BY_SUFFIX["HK"]
#: Code → exchanges. Some country codes are Bloomberg's codes for other countries: `.GR` may be Greece or Germany.
_ANY_CODE: Mapping[str, tuple[Exchange, ...]] = {
    code: tuple(dict.fromkeys((*BY_CODE.get(code, ()), *BY_BLOOMBERG_CODE.get(code, ()))))
    for code in (*BY_CODE, *BY_BLOOMBERG_CODE)
}
_SUFFIX: Mapping[str, tuple[Exchange, ...]] = {suffix: (exchange,) for suffix, exchange in BY_SUFFIX.items() if suffix}
#: Separator before a code → tables in which the code is looked up, in order.
_NOTATIONS = (
    (" ", (BY_BLOOMBERG_CODE, BY_CODE, _SUFFIX)),
    (".", (_SUFFIX, _ANY_CODE)),
    ("/", (_ANY_CODE,)),
    ("-", (BY_COUNTRY,)),
)
#: A preferred share: `BAC.PRL`, `BAC^L`, and `BAC/PL`, whose last part is therefore not a country.
_PREFERRED = re.compile(r"([A-Z]+)(?:[-./ ]PR[-./ ]?|[-/]P|\^)([A-Z])")
#: `JPM.PD` is a preferred share too, unless the letters after the dot are the code of an exchange (`MC.PA`).
_DOTTED_PREFERRED = re.compile(r"([A-Z]+)\.P([A-Z])")
#: A share in Brazil has four letters and a number that shows its class: `PETR4`.
_BRAZILIAN = re.compile(r"[A-Z]{4}(?:[3-8]|11|3[1-4])")
#: A unit of a US company or of a Canadian trust: `SPAC.UN`, `REI.UN`. After a space, UN is Bloomberg's code for NYSE.
_UNIT = re.compile(r"[A-Z]+[./]UN")
#: A class of shares, or a unit, warrant or right, which is traded like one.
_CLASS = re.compile(r"(.+?)[./_ ]([A-Z]|UN|WS|WT|RT|RI)")
#: Class of a US share in other notations → Yahoo's notation.
_US_CLASSES = {"U": "UN", "WS": "WT", "RT": "RI"}
#: Shares whose class is often written without a separator. These spellings are not tickers of other shares.
_RUN_TOGETHER = {"BRKA": "BRK-A", "BRKB": "BRK-B", "BFA": "BF-A", "BFB": "BF-B"}
#: The series of ordinary shares at the NSE of India: `RELIANCE-EQ`.
_ORDINARY = "-EQ"
#: Names of the feeds in TradingView and Google that contain indices.
_INDEX_FEED = re.compile(r"INDEX.*|TVC|I")
_INDEX_TAIL = re.compile(r"\.(?:IND(?:E?X)?|X)$| INDEX$")
#: The currency after the name of an index in the symbols of brokers: `SPX500USD`, `DE30_EUR`.
_CFD_CURRENCY = re.compile(r"_?(?:AUD|CHF|CNH|EUR|GBP|HKD|JPY|SGD|USD)$")


def read_index(text: str) -> str | None:
    """Return the canonical symbol of an index: `^GSPC` for `S&P 500`, `SPX` and `.SPX`.

    Args:
        text: The symbol as a user wrote it, in capitals.
    """
    if text in INDEX_CURRENCIES:
        return text
    feed, _, name = _INDEX_TAIL.sub("", text).rpartition(":")
    name = name.replace(" ", "")
    bare = name.lstrip(".^@$")
    is_index = bare != name or _INDEX_TAIL.search(text) or _INDEX_FEED.fullmatch(feed)
    symbol = INDEX_NAMES.get(bare) or INDEX_NAMES.get(_CFD_CURRENCY.sub("", bare))
    symbol = symbol or (f"^{bare}" if is_index and f"^{bare}" in INDEX_CURRENCIES else None)
    if symbol and feed and not is_index and not _lists_index(feed, bare, symbol):
        return None
    return symbol or (text if text.startswith("^") else None)


def names_exchange(text: str) -> bool:
    """Whether a text consists of the code of a share and that of an exchange, with a colon: `NASDAQ:AAPL`, `AAPL:US`.

    Args:
        text: The symbol as a user wrote it, in capitals. It is not a pair of currencies or coins, such as `AR:USD`.
    """
    left, colon, right = (part.strip() for part in text.partition(":"))
    return bool(colon) and (re.sub(r"[- ]", "", left) in BY_CODE or right in _ANY_CODE)


def _lists_index(feed: str, name: str, symbol: str) -> bool:
    """Whether a name with a colon is that of an index: `LON:SPX` and `NASDAQ:DAX` are shares, `005930:KOSPI` too.

    Args:
        feed: The text before the colon.
        name: The text after the colon, which is the name of an index.
        symbol: Yahoo's symbol of the index.
    """
    if feed not in BY_CODE:
        return name not in BY_CODE
    return any(exchange.country and exchange.currency == INDEX_CURRENCIES[symbol] for exchange in BY_CODE[feed])


def read_listing(text: str) -> list[str]:
    """Return the canonical symbols of a share or fund, best first: `VOD.L` for `VOD LN`, `BRK-B` for `BRK.B`.

    Args:
        text: The symbol as a user wrote it, in capitals. It is returned unchanged if it follows no known notation.
    """
    code, exchanges = _split_exchange(text)
    is_number = code[:1].isdigit()
    fitting = [each for each in exchanges if bool(each.digits) == is_number]
    return list(dict.fromkeys(_symbol(code, exchange) for exchange in fitting or exchanges))


def _split_exchange(text: str) -> tuple[str, tuple[Exchange, ...]]:
    """Return the code of a share and the exchanges that a text names."""
    left, colon, right = (part.strip() for part in text.partition(":"))
    if not colon:
        return split_number(text) or _split_special(text) or _split_tail(text)
    name = re.sub(r"[- ]", "", left)  # `TSX-V`, `NYSE ARCA`
    if name in BY_CODE:
        return right, BY_CODE[name]
    return left, _ANY_CODE.get(right) or _SUFFIX.get(right) or ()


def _split_special(text: str) -> tuple[str, tuple[Exchange, ...]] | None:
    """Return the code and the exchanges of a share if a part of its code shows the exchange."""
    if _PREFERRED.fullmatch(text):
        return text, (_US,)
    if _UNIT.fullmatch(text):
        return text, (_US, _TORONTO)
    if text.startswith("US."):  # `US.AAPL`, as Futu writes it
        return text.removeprefix("US."), (_US,)
    if _BRAZILIAN.fullmatch(text):
        return text, (_BRAZIL,)
    if text.endswith("*"):  # `WALMEX*`, a series of shares in Mexico
        return text, (_MEXICO,)
    return (text, (_INDIA,)) if text.endswith(_ORDINARY) else None


def _split_tail(text: str) -> tuple[str, tuple[Exchange, ...]]:
    """Return the code and the exchanges of a share if the code of an exchange comes last. The default is the US."""
    for separator, tables in _NOTATIONS:
        code, _, tail = text.rpartition(separator)
        found = next((table[tail] for table in tables if tail in table), None)
        if code and found and not (separator == "-" and "." in code and code.rpartition(".")[2] in BY_SUFFIX):
            return code, found
    return text, (_US,)


def _symbol(code: str, exchange: Exchange) -> str:
    """Return Yahoo's symbol of a share on an exchange."""
    code = code.removesuffix(f".{exchange.suffix}").rstrip(".*/ ")
    if exchange is _US:
        return _us_symbol(code)
    if exchange is _INDIA:
        code = code.removesuffix(_ORDINARY)
    if match := _CLASS.fullmatch(code):
        code = f"{match[1]}-{match[2]}"
    if exchange.digits and (number := split_number(code)):
        code = number[0]
    if exchange.digits and code.isdigit():
        code = code.lstrip("0") if exchange is _HONG_KONG else code  # the exchange writes five digits, and Yahoo four
        code = code.zfill(exchange.digits)
    return f"{code}.{exchange.suffix}"


def _us_symbol(code: str) -> str:
    code = _RUN_TOGETHER.get(code, code)
    if match := _PREFERRED.fullmatch(code) or _DOTTED_PREFERRED.fullmatch(code):
        return f"{match[1]}-P{match[2]}"
    if match := _CLASS.fullmatch(code):
        return f"{match[1]}-{_US_CLASSES.get(match[2], match[2])}"
    return code
