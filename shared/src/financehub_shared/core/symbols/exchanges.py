"""Lists the exchanges, each with Yahoo's suffix, its currency, and the codes that other sources use for it.

Sources: Yahoo's help page SLN2310 ("Exchanges and data providers") for the suffixes, ISO 10383 for market identifier
codes, and the notations of Bloomberg (`VOD LN`), Reuters (`VOD.L`), Google and TradingView (`LON:VOD`), FactSet
(`VOD-GB`), Alpha Vantage (`VOD.LON`) and EODHD (`VOD.LSE`).
"""

from collections.abc import Mapping
from dataclasses import dataclass

from financehub_shared.core.symbols.futures import FUTURES_ROOTS


@dataclass(frozen=True, slots=True)
class Exchange:
    """One exchange, or one part of an exchange that has its own suffix.

    Args:
        suffix: Yahoo's suffix without the dot. Empty for stocks in the US.
        country: ISO 3166 code. A country code in a symbol stands for all exchanges that have it here, so it is
            empty for the smaller exchanges of a country.
        currency: Currency of its prices. It is the major unit even if prices are quoted in a minor unit, such as pence.
        bloomberg: Codes that Bloomberg writes after a space.
        codes: All other codes, which may stand before a colon or after a dot or colon.
        digits: Number of digits to which its symbols are padded with zeros. 0 if its symbols are letters.
    """

    suffix: str
    country: str
    currency: str
    bloomberg: str = ""
    codes: str = ""
    digits: int = 0


#: Suffixes of futures of single months (`ESZ26.CME`). The continuous future has `=F` instead.
FUTURES_SUFFIXES = tuple(FUTURES_ROOTS)
EXCHANGES = (
    # North America
    Exchange(
        *("", "US", "USD", "US UN UW UQ UR UA UP UF UV"),
        "NASDAQ NYSE AMEX NYSEARCA NYSEAMERICAN NYSEMKT ARCA BATS CBOE OTC OTCMKTS OTCQX OTCQB PINK PINX PK OB NMS NYQ "
        "NGM NCM NIM PCX ASE PNK NSQ XNAS XNYS XASE ARCX MUTF O OQ N K P Z",
    ),
    Exchange("TO", "CA", "CAD", "CN CT", "TSX TSE TOR TRT XTSE TORONTO"),
    Exchange("V", "", "CAD", "CV", "TSXV CVE VAN TRV XTSX"),
    Exchange("CN", "", "CAD", "CF", "CSE CNQ CNSX XCNQ"),
    Exchange("NE", "", "CAD", "QF", "NEO NEOE CBOECA"),
    Exchange("MX", "MX", "MXN", "MM", "BMV MEX XMEX BIVA"),
    *(Exchange(suffix, "", "USD") for suffix in FUTURES_SUFFIXES),
    # South America
    Exchange("BA", "AR", "ARS", "AR", "BCBA BUE BYMA XBUE"),
    Exchange("SA", "BR", "BRL", "BZ BS", "BVMF BMFBOVESPA B3 SAO XBSP"),
    Exchange("SN", "CL", "CLP", "CI CC", "BCS SGO XSGO"),
    Exchange("CL", "CO", "COP", "CB CX", "BVC XBOG"),
    Exchange("LM", "PE", "PEN", "PE", "BVL LIM XLIM"),
    Exchange("CR", "VE", "VES", "VS", "BVCV CCS XCAR"),
    # United Kingdom and Ireland
    Exchange("L", "GB", "GBP", "LN", "LSE LON XLON UK LONDON AIM LSEAIM"),
    Exchange("IL", "", "USD", "LI", "IOB ILSE LSIN"),
    Exchange("AQ", "", "GBP", "PZ", "AQSE AQIS AQXE"),
    Exchange("XC", "", "GBP", "XC", "CXE CHIX XCHI"),
    Exchange("XD", "", "EUR", "", "DXE CEUX"),
    Exchange("IR", "IE", "EUR", "ID", "ISE DUB XDUB EURONEXT"),
    # Continental Europe
    Exchange("DE", "DE", "EUR", "GY GR", "XETRA XETR ETR GER DEX"),
    Exchange("F", "", "EUR", "GF", "FRA FWB XFRA FRANKFURT"),
    Exchange("SG", "", "EUR", "GS", "STU SWB XSTU"),
    Exchange("MU", "", "EUR", "GM", "MUN XMUN"),
    Exchange("DU", "", "EUR", "GD", "DUS XDUS"),
    Exchange("HM", "", "EUR", "GH", "HAM XHAM"),
    Exchange("HA", "", "EUR", "GI", "HAN XHAN"),
    Exchange("BE", "", "EUR", "", "BER XBER"),
    Exchange("BM", "", "EUR", "", "BRE XBMS"),
    Exchange("PA", "FR", "EUR", "FP", "EPA PAR XPAR ENX PARIS EURONEXT"),
    Exchange("AS", "NL", "EUR", "NA", "AMS EAM XAMS AMSTERDAM EURONEXT"),
    Exchange("BR", "BE", "EUR", "BB", "EBR BRU XBRU EURONEXT"),
    Exchange("LS", "PT", "EUR", "PL", "ELI LIS XLIS EURONEXT"),
    Exchange("NX", "", "EUR"),
    Exchange("MI", "IT", "EUR", "IM", "BIT MIL MTA MTAA XMIL EURONEXT"),
    Exchange("TI", "", "EUR", "TE", "TLX EUTL ETLX"),
    Exchange("MC", "ES", "EUR", "SM", "BME MCE MAD XMAD"),
    Exchange("SW", "CH", "CHF", "SW SE VX", "SIX SWX EBS VTX XSWX XVTX S"),
    Exchange("VI", "AT", "EUR", "AV", "VIE WBAG XWBO XVIE"),
    Exchange("AT", "GR", "EUR", "GA", "ATH ATHEX XATH"),
    Exchange("ST", "SE", "SEK", "SS", "STO OMXSTO XSTO STOCKHOLM"),
    Exchange("CO", "DK", "DKK", "DC", "CPH OMXCOP XCSE COPENHAGEN"),
    Exchange("HE", "FI", "EUR", "FH", "HEL OMXHEX XHEL HELSINKI"),
    Exchange("OL", "NO", "NOK", "NO", "OSL OSE XOSL OSLO EURONEXT"),
    Exchange("IC", "IS", "ISK", "IR", "OMXICE XICE"),
    Exchange("TL", "EE", "EUR", "ET", "TAL OMXTSE XTAL"),
    Exchange("RG", "LV", "EUR", "LR", "RIS RSE OMXRSE XRIS"),
    Exchange("VS", "LT", "EUR", "LH", "VSE OMXVSE XLIT"),
    Exchange("WA", "PL", "PLN", "PW", "WSE GPW XWAR WARSAW"),
    Exchange("PR", "CZ", "CZK", "CP", "PRA XPRA PSECZ"),
    Exchange("BD", "HU", "HUF", "HB", "BUD BET XBUD"),
    Exchange("RO", "RO", "RON", "RO", "BVB XBSE"),
    Exchange("ME", "RU", "RUB", "RM RX", "MCX MOEX MISX"),
    Exchange("IS", "TR", "TRY", "TI", "BIST IST XIST ISTANBUL"),
    # Middle East and Africa
    Exchange("TA", "IL", "ILS", "IT", "TLV TASE XTAE"),
    Exchange("SR", "SA", "SAR", "AB", "TADAWUL SAU XSAU", digits=4),
    Exchange("AE", "AE", "AED", "UH DU DH", "DFM ADX XDFM XADS"),
    Exchange("QA", "QA", "QAR", "QD", "QSE DOH DSM"),
    Exchange("KW", "KW", "KWD", "KK", "KUW XKUW"),
    Exchange("CA", "EG", "EGP", "EY", "EGX CAI XCAI"),
    Exchange("JO", "ZA", "ZAR", "SJ", "JSE JNB XJSE"),
    # Asia and Oceania
    Exchange("T", "JP", "JPY", "JP JT", "TSE TYO TKS XTKS JPX XJPX TOKYO", digits=4),
    Exchange("HK", "HK", "HKD", "HK", "HKG HKEX SEHK XHKG", digits=4),
    Exchange("SS", "CN", "CNY", "CH CG C1", "SH SHA SHG SHH SSE XSHG", digits=6),
    Exchange("SZ", "CN", "CNY", "CS C2", "SHE SHZ SZSE XSHE", digits=6),
    Exchange("TW", "TW", "TWD", "TT", "TPE TAI TWSE XTAI", digits=4),
    Exchange("TWO", "TW", "TWD", "", "TPEX GTSM ROCO", digits=4),
    Exchange("KS", "KR", "KRW", "KS KP", "KRX KSC KOSPI XKRX", digits=6),
    Exchange("KQ", "KR", "KRW", "KQ", "KOSDAQ KOE XKOS", digits=6),
    Exchange("NS", "IN", "INR", "IS IN", "NSE NSI XNSE"),
    Exchange("BO", "IN", "INR", "IB", "BSE BOM XBOM", digits=6),
    Exchange("SI", "SG", "SGD", "SP", "SGX SES XSES"),
    Exchange("KL", "MY", "MYR", "MK", "KLSE KLS MYX XKLS", digits=4),
    Exchange("JK", "ID", "IDR", "IJ", "IDX JKT XIDX"),
    Exchange("BK", "TH", "THB", "TB", "BKK SET XBKK"),
    Exchange("PS", "PH", "PHP", "PM", "PSE PHS XPHS"),
    Exchange("VN", "VN", "VND", "VN", "HOSE HNX XSTC"),
    Exchange("KA", "PK", "PKR", "", "PSX KAR XKAR"),
    Exchange("CM", "LK", "LKR", "SL", "XCOL"),
    Exchange("AX", "AU", "AUD", "AU AT", "ASX XASX"),
    Exchange("XA", "", "AUD", "", "CXA XAUS"),
    Exchange("NZ", "NZ", "NZD", "NZ", "NZX NZE NZSE XNZE"),
)
#: Suffix → exchange.
BY_SUFFIX: Mapping[str, Exchange] = {exchange.suffix: exchange for exchange in EXCHANGES}
#: Names of exchanges as headlines and users write them: `NASDAQ`, `LSE`.
EXCHANGE_NAMES = frozenset(code for exchange in EXCHANGES for code in exchange.codes.split() if len(code) > 2)


def split_suffix(symbol: str) -> tuple[str, Exchange | None]:
    """Return a canonical symbol without its suffix, and its exchange. The exchange is None if the suffix is unknown."""
    code, dot, suffix = symbol.rpartition(".")
    return (code, BY_SUFFIX.get(suffix)) if dot else (symbol, BY_SUFFIX[""])


def _index(*fields: str) -> dict[str, tuple[Exchange, ...]]:
    """Return code → exchanges that have the code in one of these fields."""
    found: dict[str, tuple[Exchange, ...]] = {}
    for exchange in EXCHANGES:
        for code in dict.fromkeys(code for field in fields for code in getattr(exchange, field).split()):
            found[code] = (*found.get(code, ()), exchange)
    return found


#: Code → exchanges, for the codes that Bloomberg writes after a space.
BY_BLOOMBERG_CODE: Mapping[str, tuple[Exchange, ...]] = _index("bloomberg")
#: Code or country → exchanges, for all other codes.
BY_CODE: Mapping[str, tuple[Exchange, ...]] = _index("codes", "country")
#: Country → exchanges.
BY_COUNTRY: Mapping[str, tuple[Exchange, ...]] = _index("country")
