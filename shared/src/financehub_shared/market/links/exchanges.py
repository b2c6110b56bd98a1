"""Identifies the exchanges that a headline names, and those on which an asset is listed.

An exchange is identified by Yahoo's suffix (`L`). Exchanges in the US do not have a suffix and are identified by their
names. The codes of all other exchanges come from `core/symbols/exchanges.py`.
"""

from financehub_shared.core.symbols.exchanges import BY_BLOOMBERG_CODE, BY_CODE, BY_SUFFIX, EXCHANGE_NAMES
from financehub_shared.market.links.vocabulary import word_set

#: Exchange in the US → its other names without spaces, and its endings in Reuters codes (`AAPL.O`).
_US_NAMES = {
    "NASDAQ": "NASDAQGS NASDAQGM NASDAQCM NASDAQCAPITALMARKET NASDAQGLOBALSELECT NMS NGM NCM NIM NSQ XNAS",
    "NYSE": "NEWYORKSTOCKEXCHANGE NYQ XNYS",
    "NYSEAMERICAN": "AMEX NYSEMKT NYSEAMEX ASE XASE",
    "NYSEARCA": "ARCA PCX ARCX",
    "CBOE": "BATS BZX CBOEBZX",
    "OTC": "OTCMKTS OTCQX OTCQB OTCPK OTCBB OTCMARKETS PINK PINX PNK OB",
}
_US = frozenset(_US_NAMES)
_REUTERS = {
    "O": "NASDAQ",
    "OQ": "NASDAQ",
    "N": "NYSE",
    "A": "NYSEAMERICAN",
    "P": "NYSEARCA",
    "PK": "OTC",
    "J": "JO",
    "S": "SW",
}
_BLOOMBERG = {"UN": "NYSE", "UW": "NASDAQ", "UQ": "NASDAQ", "UA": "NYSEAMERICAN", "UP": "NYSEARCA"}
#: Trading platforms for coins whose notation headlines use.
_CRYPTO_NAMES = "COINBASE BINANCE BITSTAMP KRAKEN BITFINEX BYBIT OKX GEMINI CRYPTOCAP CCC"
CRYPTO = "CRYPTO"
#: Suffix → suffixes of other exchanges in the same country that use the same tickers.
_ALSO = {"DE": {"F"}, "F": {"DE"}, "NS": {"BO"}, "BO": {"NS"}, "IL": {"L"}}


#: Suffix → the names of the exchange in headlines without spaces, and its codes in S&P Capital IQ and GuruFocus.
_OTHER_NAMES = {
    "L": "LONDONSTOCKEXCHANGE",
    "DE": "XTRA XTER DEUTSCHEBOERSE",
    "F": "DB FRANKFURTSTOCKEXCHANGE",
    "PA": "ENXTPA",
    "AS": "ENXTAM",
    "BR": "ENXTBR",
    "LS": "ENXTLS",
    "MI": "BORSAITALIANA",
    "MC": "BOLSADEMADRID",
    "SW": "SIXSWISSEXCHANGE SWISSEXCHANGE",
    "ST": "OM OSTO NASDAQSTOCKHOLM",
    "CO": "CPSE OCSE NASDAQCOPENHAGEN",
    "HE": "HLSE OHEL NASDAQHELSINKI",
    "OL": "OSLOBORS OSLOSTOCKEXCHANGE",
    "HK": "HKSE HONGKONG HONGKONGSTOCKEXCHANGE STOCKEXCHANGEOFHONGKONG",
    "T": "TOKYOSTOCKEXCHANGE",
    "KS": "KOSE KOREAEXCHANGE",
    "SS": "SHSE SHANGHAI",
    "SZ": "SHENZHEN",
    "NS": "NSEI",
    "SA": "BOVESPA BSP",
    "TO": "TORONTOSTOCKEXCHANGE",
    "V": "TSXVENTURE TSXVENTUREEXCHANGE",
    "AX": "AUSTRALIANSECURITIESEXCHANGE",
    "JO": "JOHANNESBURGSTOCKEXCHANGE",
}

#: Name → exchange, for names that `core/symbols` does not have or does not distinguish.
_BY_NAME = {
    name: exchange
    for exchange, names in {**_US_NAMES, CRYPTO: _CRYPTO_NAMES}.items()
    for name in (exchange, *names.split())
} | {name: suffix for suffix, names in _OTHER_NAMES.items() for name in names.split()}
#: Names that can precede a colon without brackets. The name of a city there shows where the news comes from.
NAMES_WITHOUT_BRACKETS = (EXCHANGE_NAMES | _BY_NAME.keys()) - word_set("""
    LONDON PARIS AMSTERDAM TORONTO TOKYO STOCKHOLM COPENHAGEN HELSINKI OSLO WARSAW ISTANBUL FRANKFURT
    SET MAD BET BUD HAM GER PAR ASE PINK DEX VAN LIM DUB GREY NEO OM DB BSP SHANGHAI SHENZHEN
""")


def is_exchange(name: str) -> bool:
    """Whether this is the name of a known exchange."""
    return exchanges_named(name) != {_key(name)} or _key(name) in _BY_NAME


def exchanges_named(name: str) -> frozenset[str]:
    """Return the exchanges that a name can mean: `LON` → L, `TSE` → Tokyo or Toronto. An unknown name means itself."""
    key = _key(name)
    if key.startswith("EURONEXT"):
        key = key.removeprefix("EURONEXT") or "EURONEXT"  # `Euronext Paris`
    if key in _BY_NAME:
        return frozenset({_BY_NAME[key]})
    return frozenset(exchange.suffix for exchange in BY_CODE.get(key, ()) if exchange.suffix) or frozenset({key})


def _key(name: str) -> str:
    return "".join(char for char in name.upper() if char.isalnum())


def exchanges_of_suffix(suffix: str) -> frozenset[str]:
    """Return the exchanges of a canonical symbol with this suffix. An empty suffix means the exchanges in the US."""
    return frozenset({suffix, *_ALSO.get(suffix, ())}) if suffix else _US


def exchanges_of_reuters(ending: str) -> frozenset[str]:
    """Return the exchanges that the ending of a Reuters code means. The set is empty for an unknown ending."""
    if ending in _REUTERS:
        return frozenset({_REUTERS[ending]})
    if ending == "US":
        return _US  # brokers write `AAPL.US`
    return exchanges_of_suffix(ending) if ending and ending in BY_SUFFIX else frozenset()


def exchanges_of_bloomberg(country: str) -> frozenset[str]:
    """Return the exchanges that a country code of Bloomberg means. The set is empty for an unknown code."""
    if country in _BLOOMBERG:
        return frozenset({_BLOOMBERG[country]})
    exchanges = BY_BLOOMBERG_CODE.get(country, ())
    return frozenset().union(*(exchanges_of_suffix(exchange.suffix) for exchange in exchanges))
