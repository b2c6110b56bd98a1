"""The exchanges in whose notation headlines write tickers, and which assets are listed on them."""

#: Exchange → its other spellings in headlines, without spaces, in capitals.
_SPELLINGS = {
    "NASDAQ": "NASDAQGS NASDAQGM NASDAQCM NASDAQCAPITALMARKET NMS XNAS",
    "NYSE": "NEWYORKSTOCKEXCHANGE NYQ XNYS",
    "NYSEAMERICAN": "AMEX NYSEMKT NYSEAMEX XASE",
    "NYSEARCA": "ARCA XARC",
    "CBOE": "BATS BZX CBOEBZX",
    "OTC": "OTCMKTS OTCQX OTCQB OTCPK OTCBB PINK PINX OTCMARKETS GREY",
    "LSE": "LON LONDON XLON AIM",
    "XETRA": "ETR FRA FWB FSE XETR DB DE ETRA FRANKFURT",
    "EURONEXTPARIS": "EPA PAR XPAR PARIS EN",
    "EURONEXTAMSTERDAM": "AMS XAMS AEX EURONEXTAMS AMSTERDAM",
    "EURONEXTBRUSSELS": "EBR XBRU BRUSSELS",
    "EURONEXTLISBON": "ELI XLIS LISBON",
    "BIT": "MIL XMIL BORSAITALIANA MILAN EXM",
    "BME": "MCE XMAD MADRID",
    "SIX": "SWX VTX EBS XSWX SIXSWISS",
    "STO": "OMX OMXSTO XSTO STOCKHOLM NASDAQSTOCKHOLM",
    "CPH": "XCSE OMXCPH COPENHAGEN NASDAQCOPENHAGEN",
    "HEL": "XHEL OMXHEL HELSINKI NASDAQHELSINKI",
    "OSE": "OSL XOSL OSLO",
    "TSX": "TSE TOR XTSE TORONTO",
    "TSXV": "TSXVENTURE CVE XTSX",
    "TYO": "TSE JPX XTKS TOKYO",
    "HKEX": "HKG HKSE SEHK XHKG HK",
    "ASX": "XASX",
    "KRX": "KOSPI XKRX KSE",
    "KOSDAQ": "XKOS",
    "NSE": "NSEI XNSE",
    "BSE": "BOM XBOM",
    "JSE": "XJSE",
    "B3": "BVMF BOVESPA BMFBOVESPA SAO",
    "SGX": "XSES",
    "SHA": "SSE XSHG SHSE",
    "SHE": "SZSE XSHE",
    "TPE": "TWSE XTAI",
    "BMV": "XMEX MEX",
    "CRYPTO": "COINBASE BINANCE BITSTAMP KRAKEN BITFINEX BYBIT OKX GEMINI CRYPTOCOIN CCC CRYPTOCAP",
    "INDEX": "INDEXSP INDEXDJX INDEXNASDAQ SP DJ TVC INDEXFTSE INDEXDB",
}
_US = ("NASDAQ", "NYSE", "NYSEAMERICAN", "NYSEARCA", "CBOE", "OTC")
#: Suffix of a canonical symbol → its exchanges. An asset without a suffix is listed in the US.
_OF_SUFFIX: dict[str, tuple[str, ...]] = {
    "": _US, "L": ("LSE",), "DE": ("XETRA",), "F": ("XETRA",), "PA": ("EURONEXTPARIS",), "AS": ("EURONEXTAMSTERDAM",),
    "BR": ("EURONEXTBRUSSELS",), "LS": ("EURONEXTLISBON",), "MI": ("BIT",), "MC": ("BME",), "SW": ("SIX",),
    "ST": ("STO",), "CO": ("CPH",), "HE": ("HEL",), "OL": ("OSE",), "TO": ("TSX",), "V": ("TSXV",), "T": ("TYO",),
    "HK": ("HKEX",), "AX": ("ASX",), "KS": ("KRX",), "KQ": ("KOSDAQ",), "NS": ("NSE", "BSE"), "BO": ("BSE", "NSE"),
    "JO": ("JSE",), "SA": ("B3",), "SI": ("SGX",), "SS": ("SHA",), "SZ": ("SHE",), "TW": ("TPE",), "MX": ("BMV",),
}  # fmt: skip
#: Ending of a Reuters code (`AAPL.O`) → exchanges, where it is not also the suffix of a canonical symbol.
_OF_REUTERS: dict[str, tuple[str, ...]] = {
    "O": ("NASDAQ",), "OQ": ("NASDAQ",), "N": ("NYSE",), "A": ("NYSEAMERICAN",), "P": ("NYSEARCA",), "PK": ("OTC",),
    "S": ("SIX",), "J": ("JSE",), "BS": ("BSE",), "GY": ("XETRA",),
}  # fmt: skip
#: Country code of Bloomberg (`VOD LN`) → exchanges.
_OF_BLOOMBERG: dict[str, tuple[str, ...]] = {
    "US": _US, "UN": ("NYSE",), "UW": ("NASDAQ",), "UQ": ("NASDAQ",), "LN": ("LSE",), "GY": ("XETRA",),
    "GR": ("XETRA",),
    "FP": ("EURONEXTPARIS",), "NA": ("EURONEXTAMSTERDAM",), "BB": ("EURONEXTBRUSSELS",), "PL": ("EURONEXTLISBON",),
    "IM": ("BIT",), "SM": ("BME",), "SW": ("SIX",), "SE": ("SIX",), "SS": ("STO",), "DC": ("CPH",), "FH": ("HEL",),
    "NO": ("OSE",), "CN": ("TSX", "TSXV"), "CT": ("TSX",), "JP": ("TYO",), "JT": ("TYO",), "HK": ("HKEX",),
    "AU": ("ASX",), "AT": ("ASX",), "KS": ("KRX",), "KP": ("KRX",), "IN": ("NSE", "BSE"), "IS": ("NSE",),
    "IB": ("BSE",), "SJ": ("JSE",), "BZ": ("B3",), "SP": ("SGX",), "TT": ("TPE",), "MM": ("BMV",),
}  # fmt: skip

_BY_SPELLING: dict[str, frozenset[str]] = {}
for _exchange, _others in _SPELLINGS.items():
    for _spelling in (_exchange, *_others.split()):
        _BY_SPELLING[_spelling] = _BY_SPELLING.get(_spelling, frozenset()) | {_exchange}

KNOWN_EXCHANGES = frozenset(_SPELLINGS)
#: All spellings, for the search in headlines.
SPELLINGS = tuple(_BY_SPELLING)


def exchanges_named(name: str) -> frozenset[str]:
    """Return the exchanges that a name can mean: `LON` → LSE, `TSE` → Tokyo or Toronto; an unknown name is itself."""
    key = "".join(char for char in name.upper() if char.isalnum())
    known = _BY_SPELLING.get(key)
    if known is None and key.startswith("EURONEXT"):
        known = _BY_SPELLING.get(key.removeprefix("EURONEXT"))
        if known is None:
            known = frozenset(exchange for exchange in _SPELLINGS if exchange.startswith("EURONEXT"))
    return known or frozenset({key})


def exchanges_of_suffix(suffix: str) -> frozenset[str]:
    """Return the exchanges of a canonical symbol with this suffix; an unknown suffix is an exchange itself."""
    return frozenset(_OF_SUFFIX.get(suffix, (suffix,)))


def exchanges_of_reuters(ending: str) -> frozenset[str]:
    """Return the exchanges that the ending of a Reuters code means. Empty if it means none."""
    return frozenset(_OF_REUTERS.get(ending) or (_OF_SUFFIX.get(ending, ()) if ending else ()))


def exchanges_of_bloomberg(country: str) -> frozenset[str]:
    """Return the exchanges that a country code of Bloomberg means. Empty if it means none."""
    return frozenset(_OF_BLOOMBERG.get(country, ()))
