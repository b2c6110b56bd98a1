"""Lists well-known indices with their currencies and the names that users write instead of Yahoo's symbol."""

import re
from collections.abc import Mapping

#: Yahoo's symbol, currency, and further names. A name that is also the ticker of a share or fund (CAC, COMP, DJT, DOW,
#: STI) is left out, except DAX, because users hardly ever mean the fund of that name.
_ROWS = """
    ^GSPC       USD  SPX INX GSPC SP500 S&P500 S&P US500 SPX500
    ^SPX        USD
    ^DJI        USD  DJI DJIA INDU US30 DJ30 WS30 DOWJONES
    ^IXIC       USD  IXIC CCMP NASDAQ NASDAQCOMPOSITE
    ^NDX        USD  NDX NASDAQ100 US100 NAS100 USTEC
    ^RUT        USD  RUT RUSSELL2000 US2000
    ^RUI        USD  RUSSELL1000
    ^RUA        USD  RUSSELL3000
    ^VIX        USD  VIX
    ^OEX        USD  OEX SP100 S&P100
    ^MID        USD  SP400 S&P400
    ^SP600      USD  SP600 S&P600
    ^NYA        USD
    ^SOX        USD  SOX PHLXSEMICONDUCTOR
    ^BKX        USD  BKX
    ^NBI        USD  NBI
    ^DJT        USD
    ^DJU        USD
    ^W5000      USD  W5000 WILSHIRE5000
    ^XAX        USD
    ^XAU        USD
    ^HUI        USD
    ^VXN        USD  VXN
    ^VVIX       USD  VVIX
    ^SKEW       USD
    ^MOVE       USD
    ^GVZ        USD
    ^OVX        USD
    ^IRX        USD
    ^FVX        USD
    ^TNX        USD  TNX US10Y
    ^TYX        USD  TYX US30Y
    ^BCOM       USD  BCOM
    ^SPGSCI     USD
    DX-Y.NYB    USD  DXY USDX USDINDEX
    ^GSPTSE     CAD  GSPTSE SPTSX TSX TSXCOMPOSITE S&P/TSX
    ^BVSP       BRL  IBOV IBOVESPA BOVESPA BVSP
    ^MXX        MXN  MXX MEXBOL
    ^MERV       ARS  MERVAL
    ^IPSA       CLP  IPSA
    ^SPIPSA     CLP
    ^FTSE       GBP  FTSE FTSE100 UKX UK100
    ^FTMC       GBP  FTSE250
    ^FTAS       GBP
    ^FTLC       GBP
    ^GDAXI      EUR  DAX DAX30 DAX40 DE30 DE40 GER30 GER40 GDAXI
    ^MDAXI      EUR  MDAX MDAXI
    ^SDAXI      EUR  SDAX SDAXI
    ^TECDAX     EUR  TECDAX TDXP
    ^FCHI       EUR  CAC40 FCHI PX1 FRA40
    ^SBF120     EUR  SBF120
    ^STOXX50E   EUR  STOXX50 STOXX50E EUROSTOXX50 EUROSTOXX SX5E EU50 EUSTX50
    ^STOXX      EUR  STOXX600 SXXP
    ^N100       EUR  EURONEXT100
    ^AEX        EUR  AEX
    ^BFX        EUR  BEL20
    ^IBEX       EUR  IBEX IBEX35
    ^ATX        EUR  ATX
    ^ISEQ       EUR  ISEQ
    FTSEMIB.MI  EUR  FTSEMIB FTSEMIB40 MIB MIB40
    PSI20.LS    EUR  PSI20
    GD.AT       EUR
    ^OMXH25     EUR  OMXH25
    ^SSMI       CHF  SMI SSMI SWISS20
    ^OMX        SEK  OMX OMXS30
    ^OMXSPI     SEK
    ^OMXC25     DKK  OMXC25 OMXC20
    OBX.OL      NOK  OBX
    ^OSEAX      NOK
    WIG20.WA    PLN  WIG20
    WIG.WA      PLN
    ^BUX.BD     HUF
    XU100.IS    TRY  XU100 BIST100
    IMOEX.ME    RUB  IMOEX MOEX
    ^TA125.TA   ILS  TA125
    TA35.TA     ILS  TA35
    ^TASI.SR    SAR  TASI
    ^CASE30     EGP  EGX30
    ^J203.JO    ZAR  JALSH
    ^N225       JPY  NIKKEI NIKKEI225 NKY NI225 N225 JP225
    ^TOPX       JPY  TOPIX TPX
    ^HSI        HKD  HSI HANGSENG HK50
    ^HSCE       HKD  HSCEI
    000001.SS   CNY  SSEC SHCOMP SSECOMPOSITE SHANGHAICOMPOSITE
    000300.SS   CNY  CSI300 SHSZ300
    399001.SZ   CNY  SZCOMP
    ^TWII       TWD  TWII TAIEX
    ^KS11       KRW  KOSPI
    ^KS200      KRW  KOSPI200
    ^KQ11       KRW  KOSDAQ
    ^NSEI       INR  NIFTY NIFTY50 NSEI
    ^NSEBANK    INR  BANKNIFTY NIFTYBANK NSEBANK
    ^CNXIT      INR
    ^BSESN      INR  SENSEX BSESN
    ^STI        SGD  STRAITSTIMES
    ^KLSE       MYR  KLCI FBMKLCI
    ^JKSE       IDR  JKSE IHSG
    ^SET.BK     THB
    PSEI.PS     PHP  PSEI
    ^AXJO       AUD  ASX200 S&P/ASX200 XJO AXJO AU200 AS51
    ^AORD       AUD  AORD XAO ALLORDINARIES
    ^NZ50       NZD  NZ50 NZX50
"""
_TABLE = [row.split() for row in _ROWS.strip().splitlines()]
#: Yahoo's symbol → currency.
INDEX_CURRENCIES: Mapping[str, str] = {symbol: currency for symbol, currency, *_ in _TABLE}
#: Name without spaces → Yahoo's symbol.
INDEX_NAMES: Mapping[str, str] = {name: symbol for symbol, _, *names in _TABLE for name in names}
#: Pattern of indices whose name contains their currency (`^990100-USD-STRD` is MSCI World), and families in USD.
_NAMED_CURRENCY = re.compile(r"\^.*-([A-Z]{3})(?:-STRD)?")
_US_FAMILIES = ("^SP500-", "^DJUS", "^CBOE")


def index_currency(symbol: str) -> str | None:
    """Return the currency of an index whose symbol has no suffix. None if the index is unknown."""
    if symbol in INDEX_CURRENCIES:
        return INDEX_CURRENCIES[symbol]
    if symbol.startswith(_US_FAMILIES):
        return "USD"
    named = _NAMED_CURRENCY.fullmatch(symbol)
    return named[1] if named else None
