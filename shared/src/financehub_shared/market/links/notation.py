"""Reads the notations of tickers in headlines: `(NYSE: V)`, `$BTC`, `ETH/BTC`, `AAPL.O`, `VOD LN`."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto

from financehub_shared.core.symbols.coins import COIN_NAMES
from financehub_shared.core.symbols.currencies import COIN_CURRENCIES, QUOTE_COINS, STABLECOINS
from financehub_shared.market.links.exchanges import (
    CRYPTO,
    NAMES_WITHOUT_BRACKETS,
    exchanges_named,
    exchanges_of_bloomberg,
    exchanges_of_reuters,
    is_exchange,
)
from financehub_shared.market.links.listings import Listings
from financehub_shared.market.links.tokens import NOTED

_TICKER = r"[A-Z0-9^.][A-Z0-9.&^-]{0,11}"
_BRACKETS = re.compile(r"[(\[{<]([^()\[\]{}<>]{1,90})[)\]}>]")
#: One ticker of a list in brackets, with its exchange unless the previous ticker has the same one.
_ENTRY = re.compile(
    r"(?:([A-Za-z][A-Za-z0-9 ./&-]{0,30}?)\s?:\s?)?(\$?)([A-Za-z0-9^.][A-Za-z0-9.&^/-]{0,11}(?: [A-C])?)"
)
_LIST = re.compile(r"\s*[,;|]\s*|\s+(?:and|&)\s+")
_EXCHANGE = "|".join(sorted({*NAMES_WITHOUT_BRACKETS, "NYSE American", "NYSE Arca"}, key=len, reverse=True))
#: Short names of exchanges must be in capitals, because words such as `De:` and `In:` also precede colons.
_PLAIN = re.compile(
    rf"(?<![\w$])({_EXCHANGE}|[Nn]asdaq(?:GS|GM|CM)?|Nyse|Euronext(?: [A-Z][a-z]+)?)\s?:\s?({_TICKER})(?![\w])"
)
#: The order of Google and Bloomberg: `AAPL:NASDAQ`, `AAPL:US`.
_REVERSED = re.compile(rf"(?<![\w$:])({_TICKER}):({_EXCHANGE}|US|LN|GR|GY|FP)(?![\w:])")
_LOWER = re.compile(r"(?<![\w$])(nasdaq|nyse|amex|lse|lon|tsx|asx|etr|crypto):([a-z][a-z0-9.]{0,9})(?!\w)")
_CASHTAG = re.compile(r"(?<![\w$])\$([A-Za-z][A-Za-z0-9]{0,9}(?:[.-][A-Za-z]{1,3})?)(?!\w)")
#: Units of amounts (`$bn`, `$m`), which are not cashtags.
_UNITS = frozenset({"b", "bn", "k", "m", "mn", "mln", "bln", "t", "tn", "trn"})
_PAIR = re.compile(r"(?<![\w/$-])([A-Za-z0-9]{2,10})([/-])([A-Za-z]{3,5})(?![\w/])")
_MONEY = COIN_CURRENCIES | STABLECOINS.keys()
_QUOTES = "|".join(sorted(_MONEY | QUOTE_COINS))
_JOINED_PAIR = re.compile(rf"(?<![\w$])([A-Z0-9]{{2,6}}?)({_QUOTES})(?:\.P|PERP)?(?!\w)")
_SUFFIXED = re.compile(r"(?<![\w.$])\^?([A-Z0-9&][A-Z0-9&-]{0,9})([a-z]?)([.=-])([A-Z]{1,4})(?![\w.]*\w)")
_KOREAN = re.compile(r"A\d{6}")
_INDEX = re.compile(r"(?<!\w)\^[A-Z0-9]{2,8}(?!\w)")
_BLOOMBERG = re.compile(r"(?<![\w.$])([A-Z0-9]{1,8}(?:/[A-Z])?) ([A-Z]{2})( [Ee]quity)?(?!\w)")


class NoteKind(Enum):
    """How much a notation proves by itself."""

    CERTAIN = auto()  # it has an exchange or is a cashtag, so it can only mean its assets
    PAIR = auto()  # `ETH/BTC` can only mean its assets too, but does not belong to a name before it
    BARE = auto()  # the words before `(SOL)` decide what it abbreviates


@dataclass(frozen=True, slots=True)
class Note:
    """A notation in a headline.

    Args:
        kind: How much it proves by itself.
        tickers: The tickers as the headline writes them.
        symbols: Canonical symbols of the assets that it means, or that a bare ticker can mean.
        exchange: Whether it names a stock exchange, so the words before it name a company.
    """

    kind: NoteKind
    tickers: tuple[str, ...]
    symbols: tuple[str, ...]
    exchange: bool = False


class NotationReader:
    """Reads and masks the notations of one headline.

    Args:
        listings: The tickers of the assets.
    """

    def __init__(self, listings: Listings) -> None:
        self._listings = listings
        self._notes: dict[int, Note] = {}

    def read(self, folded: str) -> tuple[str, dict[int, Note]]:
        """Return the headline with all notations masked by `NOTED`, and the notations by offset in characters."""
        self._notes = {}
        text = folded
        if "(" in text or "[" in text or "<" in text or "{" in text:
            text = _BRACKETS.sub(self._bracketed, text)
        if ":" in text:
            text = _LOWER.sub(self._plain, _PLAIN.sub(self._plain, text))
            text = _REVERSED.sub(self._reversed, text)
        if "$" in text:
            text = _CASHTAG.sub(self._cashtag, text)
        if "/" in text or "-" in text:
            text = _PAIR.sub(self._pair, text)
        if "." in text or "=" in text or "-" in text:
            text = _SUFFIXED.sub(self._suffixed, text)
        if "^" in text:
            text = _INDEX.sub(self._index, text)
        text = _JOINED_PAIR.sub(self._joined_pair, text)
        return _BLOOMBERG.sub(self._bloomberg, text), self._notes

    def _note(self, match: re.Match[str], note: Note) -> str:
        self._notes[match.start()] = note
        return NOTED * len(match[0])

    def _certain(self, match: re.Match[str], ticker: str, symbols: Sequence[str], *, exchange: bool = False) -> str:
        return self._note(match, Note(NoteKind.CERTAIN, (ticker,), tuple(symbols), exchange))

    def _bracketed(self, match: re.Match[str]) -> str:
        inside = match[1].strip()
        code = _suffixed_or_bloomberg(inside)
        if code:
            return self._certain(match, code[0], self._on(*code), exchange=True)
        entries = [_ENTRY.fullmatch(part) for part in _LIST.split(inside)]
        note = self._list(entries) if all(entries) else None
        # if this is not a list of tickers, later patterns still find a notation inside the brackets
        return self._note(match, note) if note else match[0]

    def _list(self, entries: Sequence[re.Match[str] | None]) -> Note | None:
        """Read tickers in brackets, each with its own exchange or that of the previous ticker."""
        symbols: list[str] = []
        tickers: list[str] = []
        exchanges: frozenset[str] = frozenset()
        kind, is_known = NoteKind.BARE, False
        for entry in filter(None, entries):
            exchange, dollar, ticker = entry.groups()
            if exchange and exchange.isupper() and not is_exchange(exchange) and _exchanges_after(ticker):
                exchange, ticker = ticker, exchange
                exchanges, is_known = _exchanges_after(exchange), True
            elif exchange:
                names = exchange.split("/")
                exchanges = frozenset().union(*map(exchanges_named, names))
                is_known = any(map(is_exchange, names))
            if ticker != ticker.upper() and not (is_known or dollar):
                return None
            if not exchanges and not ticker[0].isalpha() and ticker[0] != "^":
                return None
            if exchanges or dollar or ("-" in ticker and ticker in self._listings.symbols):
                kind = NoteKind.CERTAIN
            tickers.append(ticker)
            symbols += self._on(ticker, exchanges) if exchanges else self._listings.without_exchange(ticker)
        return Note(kind, tuple(tickers), tuple(symbols), exchange=bool(exchanges - {CRYPTO}))

    def _on(self, ticker: str, exchanges: frozenset[str]) -> list[str]:
        # S&P Capital IQ writes an A before the digits of Korean tickers
        ticker = ticker[1:] if "KS" in exchanges and _KOREAN.fullmatch(ticker) else ticker
        found = self._listings.on_exchange(ticker, exchanges)
        if not found and CRYPTO in exchanges:
            pair = _JOINED_PAIR.fullmatch(ticker) or _PAIR.fullmatch(ticker)
            found = self._of_pair(pair[1].upper(), pair[pair.lastindex or 2].upper()) if pair else []
        return found

    def _plain(self, match: re.Match[str]) -> str:
        exchanges, ticker = exchanges_named(match[1]), match[2].rstrip(".-")
        return self._certain(match, ticker, self._on(ticker, exchanges), exchange=CRYPTO not in exchanges)

    def _reversed(self, match: re.Match[str]) -> str:
        symbols = self._on(match[1], _exchanges_after(match[2]))
        is_notation = symbols or is_exchange(match[2])
        return self._certain(match, match[1], symbols, exchange=True) if is_notation else match[0]

    def _cashtag(self, match: re.Match[str]) -> str:
        if match[1] in _UNITS:
            return match[0]
        coin, dot, ending = match[1].upper().partition(".")
        if dot and ending == "X":  # Stocktwits marks coins with `.X`: `$BTC.X`
            return self._certain(match, coin, self._listings.coins.get(coin, ()))
        return self._certain(match, match[1], self._listings.without_exchange(match[1]))

    def _pair(self, match: re.Match[str]) -> str:
        base, quote = match[1].upper(), match[3].upper()
        if match[2] == "-" and not (match[1].isupper() and match[3].isupper()):
            return match[0]
        symbols = self._of_pair(base, quote)
        # The stablecoin in the pair of a coin that is not tracked is its currency: `PENDLE/USDT`. In a headline in
        # capitals, a hyphen can also join two words: `COINBASE-USDC DEAL`.
        is_notation = match[1].isupper() and match[3].isupper() and (match[2] == "/" or not match.string.isupper())
        is_pair = symbols or (quote in STABLECOINS and is_notation)
        return self._note(match, Note(NoteKind.PAIR, (base,), tuple(symbols))) if is_pair else match[0]

    def _joined_pair(self, match: re.Match[str]) -> str:
        symbols = self._of_pair(match[1], match[2])
        return self._note(match, Note(NoteKind.PAIR, (match[1],), tuple(symbols))) if symbols else match[0]

    def _of_pair(self, base: str, quote: str) -> list[str]:
        base = COIN_NAMES.get(base, base)
        currencies = f"{base}{quote}=X"
        if currencies in self._listings.symbols:
            return [currencies]
        if quote not in _MONEY and quote not in self._listings.coins:
            return []
        exact = f"{base}-{STABLECOINS.get(quote, quote)}"
        found = [exact] if exact in self._listings.symbols else list(self._listings.coins.get(base, ()))
        if found and quote not in _MONEY:
            found += self._listings.coins[quote]
        return found

    def _suffixed(self, match: re.Match[str]) -> str:
        exact = self._listings.symbols.get(match[0])
        if exact:
            return self._certain(match, match[1], [exact])
        separator, ending = match[3], match[4]
        ticker = match[1] + (f".{match[2].upper()}" if match[2] else "")
        # `BRK.B` is a class of shares, and `AAPL.O` is a Reuters code
        symbols = self._listings.without_exchange(match[0]) if separator != "=" and not match[2] else []
        if not symbols and separator == ".":
            symbols = self._on(ticker, exchanges_of_reuters(ending))
        return self._certain(match, ticker, symbols, exchange=True) if symbols else match[0]

    def _index(self, match: re.Match[str]) -> str:
        exact = self._listings.symbols.get(match[0])
        return self._certain(match, match[0], [exact]) if exact else match[0]

    def _bloomberg(self, match: re.Match[str]) -> str:
        exchanges = exchanges_of_bloomberg(match[2])
        # `AAPL US` may be two words; `AAPL US Equity` and `VOD LN` can only be notations
        if not exchanges or not (match[3] or match[2] in {"LN", "GY", "FP", "IM", "SM"}):
            return match[0]
        symbols = self._on(match[1], exchanges)
        return self._certain(match, match[1], symbols, exchange=True) if symbols or match[3] else match[0]


def _exchanges_after(code: str) -> frozenset[str]:
    """Return the exchanges that a code after a ticker means: `US`, `NASDAQ`. The set is empty for an unknown code."""
    return exchanges_of_bloomberg(code) or (exchanges_named(code) if is_exchange(code) else frozenset())


def _suffixed_or_bloomberg(inside: str) -> tuple[str, frozenset[str]] | None:
    """Read `AAPL.O` or `VOD LN` in brackets."""
    bloomberg = _BLOOMBERG.fullmatch(inside)
    if bloomberg and exchanges_of_bloomberg(bloomberg[2]):
        return bloomberg[1], exchanges_of_bloomberg(bloomberg[2])
    ticker, _, ending = inside.rpartition(".")
    if re.fullmatch(r"[A-Z0-9-]{1,8}[a-z]?", ticker) and exchanges_of_reuters(ending) and len(ending) != 1:
        return ticker, exchanges_of_reuters(ending)
    if re.fullmatch(r"[A-Z0-9-]{1,8}[a-z]?", ticker) and ending in {"O", "N", "L", "S", "T", "P", "J"}:
        return (f"{ticker[:-1]}.{ticker[-1].upper()}" if ticker[-1:].islower() else ticker), exchanges_of_reuters(
            ending
        )
    return None
