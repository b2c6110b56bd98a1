"""Links headlines to the assets that they name. Pure.

Precision matters more than recall: a wrong link misleads, but a missing one only leaves a news item unlinked. The
linker recognizes four forms: a ticker in its usual notation (`$AAPL`, `(NASDAQ: AAPL)`, `(BTC)`), a ticker as a word
in capitals, a multi-word name, and a single-word name. Names that are also English words (`META`, `Visa`, `Target`)
need a business word in the same headline. Tickers are ignored in a headline that is all in capitals.
"""

import re
from collections.abc import Iterable, Sequence

from financehub_shared.core.kinds import AssetType
from financehub_shared.core.models import Asset

_TOKEN = re.compile(r"\$?[A-Za-z0-9][A-Za-z0-9&.'’^-]*")
_NOTATION = re.compile(
    r"\$([A-Z][A-Z0-9.-]{0,9})\b"
    r"|\((?:[A-Z][A-Za-z .]{1,15}:\s?)?([A-Z0-9][A-Z0-9.^-]{0,9})\)"
    r"|\b(?:NASDAQ|Nasdaq|NYSE|LSE|LON|TSX|AMEX)\s?:\s?([A-Z][A-Z0-9.-]{0,9})\b"
)


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


#: Parts of company names that headlines leave out.
_SUFFIXES = _words("""
    inc incorporated corp corporation co company companies plc ltd limited group holding holdings sa se ag nv ab
    asa oyj spa kgaa the class a b c common stock ordinary shares adr trust public international
""")
#: Tickers and names that are also common words in headlines, where they occur capitalized.
_ENGLISH = _words("""
    a ace ai all any apa api apt arb are as at atom bank be best big bill block box br can car carnival cars
    cash cat ceo chase chat chewy clear coin compound corn cost cpi dash day de defi delta dot dow eat ebay ens
    eos eq era etc etf eu ever eye fast fed find five flow for ford fox fun gap gas gdp ge general gold good
    grab graph green has he hub ice icp imx in info inj intel ipo iq it jack key kiss land life link live love
    low ma maker man mana match max me meta mind mon moo near neo new next nft nice now nu old on one op open or
    oracle out pay peak person pick play post price pro quant ram real render sand save se sea sec sees shell
    shift six sky snap snow so sol solo sprint square stay sui sun super target team tell terra the theta ton
    top trade trip true trump two ui uk un uni union unity up us usa usd v vet via visa wave waves we well wing
    wolf x yeti you z zip zoom
""")
#: Business words. If a headline contains one, an English word in it can be a company name.
_BUSINESS = _words("""
    stock stocks share shares shareholder shareholders earnings revenue revenues profit profits dividend buyback
    guidance nasdaq nyse ipo quarterly quarter q1 q2 q3 q4 analyst analysts upgrade upgrades upgraded downgrade
    downgrades downgraded rating valuation inc corp plc investor investors ceo cfo acquisition acquires merger
    token tokens coin crypto blockchain price rally rallies selloff ticker eps
""")
#: A name followed by one of these words is the name of another coin, tracked or not.
_OTHER = {"bitcoin": _words("cash sv gold diamond"), "ethereum": _words("classic name"), "shiba": _words("inu")}
_LONGEST_NAME = 5


class AssetLinker:
    """Finds assets in headlines; built once per fetch.

    Args:
        assets: The assets that can be linked, with their names.
    """

    def __init__(self, assets: Iterable[Asset]) -> None:
        self._tickers: dict[str, list[str]] = {}
        self._names: dict[tuple[str, ...], list[str]] = {}
        for asset in assets:
            for ticker in _tickers(asset):
                self._tickers.setdefault(ticker, []).append(asset.symbol)
            for name in _names(asset):
                self._names.setdefault(name, []).append(asset.symbol)
        # A name shared by a few assets (two share classes, a coin and its wrapped form) links all of them; a name
        # shared by more would be a guess.
        self._names = {name: symbols for name, symbols in self._names.items() if len(symbols) <= 3}

    def link(self, title: str) -> tuple[str, ...]:
        """Return the canonical symbols that the headline names, sorted."""
        found: set[str] = set()
        for match in _NOTATION.finditer(title):
            found.update(self._tickers.get(match[1] or match[2] or match[3], ()))
        words = [_bare(word) for word in _TOKEN.findall(title)]
        business = bool(_BUSINESS.intersection(word.lower() for word in words))
        if not _is_shouted(words):
            for word in words:
                if len(word) >= 2 and word.isupper() and (business or _is_own(word)):
                    found.update(self._tickers.get(word, ()))
        for start in range(len(words)):
            found.update(self._named_at(words, start, business=business))
        return tuple(sorted(found))

    def _named_at(self, words: Sequence[str], start: int, *, business: bool) -> Sequence[str]:
        if not words[start][:1].isupper() and not words[start][:1].isdigit():
            return ()
        for length in range(min(_LONGEST_NAME, len(words) - start), 0, -1):
            name = tuple(word.lower() for word in words[start : start + length])
            symbols = self._names.get(name, ())
            following = words[start + length].lower() if start + length < len(words) else ""
            is_other = following in _OTHER.get(name[-1], ())
            if symbols and not is_other and (length > 1 or business or name[0] not in _ENGLISH):
                return symbols
        return ()


def _tickers(asset: Asset) -> list[str]:
    """Return the tickers: `BTC-USD` → BTC, BTC-USD; `BRK-B` → BRK-B, BRK.B; `VOD.L` → VOD.L, VOD; an index has none."""
    symbol = asset.symbol
    if asset.type is AssetType.CRYPTO:
        return [symbol, symbol.rpartition("-")[0]]
    if symbol.startswith("^") or "=" in symbol:
        return []
    home = symbol.partition(".")[0]
    return sorted({symbol, home, symbol.replace("-", ".")})


def _names(asset: Asset) -> list[tuple[str, ...]]:
    """Return the asset's name without its legal form, and its first word alone if that is unambiguous."""
    words = _name_words(asset.name)
    if not any(len(word) > 1 for word in words):
        return []
    names = [tuple(word.lower() for word in words)]
    first = words[0]
    is_odd = len(first) >= 4 and any(char.isupper() for char in first[1:])  # JPMorgan, PepsiCo
    if len(words) > 1 and asset.type is AssetType.STOCK and (is_odd or first.upper() == asset.symbol):
        names.append((first.lower(),))
    return names


def _name_words(name: str) -> tuple[str, ...]:
    words = [_bare(word) for word in _TOKEN.findall(name)]
    while words and words[-1].replace(".", "").lower() in _SUFFIXES:
        words.pop()
    while len(words) > 1 and words[0].lower() == "the":
        words.pop(0)
    # 'Amazon.com' is 'Amazon' in a headline
    return tuple(word.removesuffix(".com") for word in words[:_LONGEST_NAME])


def _bare(word: str) -> str:
    word = word.lstrip("$").rstrip(".'’-")
    for ending in ("'s", "’s"):
        word = word.removesuffix(ending)
    return word


def _is_own(ticker: str) -> bool:
    """Whether an all-caps word can only be this ticker: at least three letters, and not a common word or acronym."""
    return len(ticker) >= 3 and ticker.lower() not in _ENGLISH


def _is_shouted(words: Sequence[str]) -> bool:
    letters = [word for word in words if any(char.isalpha() for char in word)]
    return len(letters) >= 3 and sum(word.isupper() for word in letters) > len(letters) / 2
