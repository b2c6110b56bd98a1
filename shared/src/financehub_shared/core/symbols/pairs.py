"""Reads pairs of a coin or currency and the currency of its price, as exchanges and platforms write them.

`BTC/USD`, `BTCUSDT`, `BTC_USD`, `USDT-BTC`, `XXBTZUSD` (Kraken), `BINANCE:BTCUSDT` (TradingView), `BTC-USD-SWAP` (OKX),
`EURUSD.FOREX` (EODHD), `EUR=` (Reuters), `JPY Curncy` (Bloomberg).
"""

import re
from collections.abc import Iterator

from financehub_shared.core.symbols.coins import COIN_NAMES, KNOWN_COINS
from financehub_shared.core.symbols.currencies import COIN_CURRENCIES, CURRENCIES, METALS, QUOTE_COINS, STABLECOINS
from financehub_shared.core.symbols.identifiers import name_identifier

#: Text that may follow a pair: the kind of contract, its date (`BTCUSD_240628`, `BTC-27DEC24`), or the market's name.
#: Six digits without a separator are only a date after a currency: `SH600519` is a share.
_TAIL = re.compile(
    r"(?:[-._ ]?(?:PERP|PERPETUAL|SWAP|SPOT)|(?:[-_]|(?<=USD)|(?<=USD[TC]))\d{6}|-\d{1,2}[A-Z]{3}\d{2}"
    r"|\.(?:P|X|CC|FX|FOREX)|[._](?:ECN|OTC|PRO|RAW|STD)|:CUR| CURNCY)$"
)
_SEPARATOR = re.compile(r"[-/_.:| ]+")
_KRAKEN = re.compile(r"X([A-Z]{3})Z([A-Z]{3})")
#: Lengths of quote currencies in the order in which a pair without a separator is split. `USD` is more likely than
#: `BUSD`, `GUSD` or `TUSD`.
_LENGTHS = (5, 3, 4)
#: A currency alone means its price in dollars (`EUR=`) or the price of a dollar in it (`JPY=`). Most other codes are
#: also tickers of shares (ALL, COP).
_ALONE = re.compile(r"([A-Z]{3})(?:=R?| CURNCY)|(CHF|CNH|CNY|EUR|GBP|JPY)")
#: Reuters writes an equals sign after a pair (`EURJPY=`), and some brokers a letter (`EURUSDm`).
_AFTER_PAIR = re.compile(r"=R?$|(?<=^[A-Z]{6})[A-Z]$")
_PRICED_IN_DOLLARS = frozenset({"EUR", "GBP", "AUD", "NZD"})
#: Largest number of letters in a US ticker.
_TICKER_LENGTH = 5


def read_coin(text: str) -> str | None:
    """Return the canonical symbol of a coin: `BTC-USD` for `BTCUSDT`, and also for `BTC`.

    Args:
        text: The symbol as a user wrote it, in capitals. A pair of two currencies is returned as `EURUSD=X`, and a
            metal in dollars as its future.
    """
    if text in STABLECOINS:
        return f"{text}-USD"
    if name := COIN_NAMES.get(re.sub(r"[- ]", "", text)):
        return f"{name}-USD"
    found = [symbol for base, quote in _split(text) if (symbol := _coin(base, quote))]
    if found:
        return min(found, key=lambda symbol: symbol.partition("-")[0] not in KNOWN_COINS)
    coin = _bare(text)
    if re.fullmatch(r"[A-Z0-9]{1,15}", coin) and coin not in COIN_CURRENCIES and not name_identifier(coin):
        return f"{COIN_NAMES.get(coin, coin)}-USD"
    return None


def read_fx(text: str) -> str | None:
    """Return the canonical symbol of a currency pair: `EURUSD=X` for `EUR/USD`.

    Args:
        text: The symbol as a user wrote it, in capitals.
    """
    if text.endswith("=X"):
        return text if text.removesuffix("=X")[:-3] in {"", *CURRENCIES, *METALS} else None
    if alone := _ALONE.fullmatch(text):
        code = alone[1] or alone[2]
        if code in CURRENCIES:
            return f"{code}USD=X" if code in _PRICED_IN_DOLLARS else f"USD{code}=X"
        return METALS.get(code)
    for base, quote in _split(_AFTER_PAIR.sub("", text)):
        if base in CURRENCIES and quote in CURRENCIES and base != quote:
            return f"{base}{quote}=X"
        if base in METALS and quote == "USD":
            return METALS[base]
    return None


def read_coin_among_stocks(text: str) -> str | None:
    """Return the canonical symbol of a coin if a text can hardly be the symbol of a stock: `BTC-USD` for `BTC/USD`.

    Args:
        text: The symbol as a user wrote it, in capitals.
    """
    alone = text.removesuffix("=")
    # No ticker begins with a digit (1INCH), and no ticker is the name of a stablecoin.
    if alone in STABLECOINS or (alone in KNOWN_COINS and (alone != text or alone[0].isdigit())):
        return f"{alone}-USD"
    if alone in COIN_NAMES and len(alone) > _TICKER_LENGTH:
        return f"{COIN_NAMES[alone]}-USD"
    for base, quote in _split(text.removesuffix("=X")):
        is_coin = quote in STABLECOINS or base in KNOWN_COINS or base in COIN_NAMES
        is_pair = len(text) > _TICKER_LENGTH and (quote in STABLECOINS or quote in COIN_CURRENCIES)
        if is_pair and base not in CURRENCIES and (is_coin or text == f"{base}-{quote}"):
            return _coin(base, quote)
    return None


def has_quote(text: str) -> bool:
    """Whether a currency or coin follows a colon: `AR:USD` is a pair, although AR is also the code of an exchange."""
    right = text.partition(":")[2].strip()
    return _is_quote(right) or right in QUOTE_COINS


def _split(text: str) -> Iterator[tuple[str, str]]:
    """Yield the ways to read a text as base and quote currency. Without a separator, there may be several ways."""
    text = _bare(text)
    if kraken := _KRAKEN.fullmatch(text):
        yield kraken[1], kraken[2]
        return
    parts = _SEPARATOR.split(text)
    if len(parts) == 2 or (len(parts) == 3 and _is_quote(parts[1])):
        yield parts[0], parts[1]
    elif len(parts) == 1:
        for length in _LENGTHS:
            base, quote = text[:-length], text[-length:]
            is_coin_pair = quote in QUOTE_COINS and base in KNOWN_COINS and text not in KNOWN_COINS
            is_fx_pair = base in CURRENCIES and quote in CURRENCIES
            if base and (quote in STABLECOINS or quote in COIN_CURRENCIES or is_coin_pair or is_fx_pair):
                yield base, quote


def _bare(text: str) -> str:
    """Return a text without the exchange or feed before it and without the tail (`_TAIL`) of a pair."""
    text = _TAIL.sub("", text)
    _, colon, pair = text.partition(":")
    return pair if colon and not _is_quote(pair) else text


def _is_quote(text: str) -> bool:
    return text in STABLECOINS or text in CURRENCIES


def _coin(base: str, quote: str) -> str | None:
    """Return the canonical symbol of a pair. None if the text is not a pair."""
    base, quote = COIN_NAMES.get(base, base), COIN_NAMES.get(quote, quote)
    currency = STABLECOINS.get(quote, quote)
    if base in METALS and currency == "USD":
        return METALS[base]
    if base in COIN_CURRENCIES and currency in CURRENCIES and currency != base:
        return f"{base}{currency}=X"
    if base in COIN_CURRENCIES and quote != base:
        return f"{quote}-{base}"  # `KRW-BTC`, as Upbit writes it
    if base in STABLECOINS and not _is_quote(quote):
        return f"{quote}-{STABLECOINS[base]}"  # `USDT_BTC`, as Poloniex wrote it
    is_pair = re.fullmatch(r"[A-Z0-9]+", base) and (currency in CURRENCIES or quote in QUOTE_COINS) and base != quote
    return f"{base}-{currency}" if is_pair else None
