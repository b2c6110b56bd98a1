"""Reads futures and commodities as other sources write them: `ES1!`, `CL1 COMDTY`, `/ES`, `ESH6`, `SILVER`.

Yahoo has only futures of US exchanges: the continuous future (`ES=F`) and single months (`ESH26.CME`). Sources: the
contract codes of CME Group and ICE Futures US, and Bloomberg's tickers of the same contracts.
"""

import re
from collections.abc import Mapping

#: Suffix of single months → roots of the futures of that exchange.
FUTURES_ROOTS: Mapping[str, str] = {
    "CME": "ES NQ RTY MES MNQ M2K NKD NIY 6A 6B 6C 6E 6J 6M 6N 6S HE LE GF BTC MBT ETH MET SR3",
    "CBT": "YM MYM ZB ZN ZF ZT UB TN ZC ZS ZW ZL ZM ZO ZR KE",
    "NYM": "CL MCL NG RB HO BZ PL PA",
    "CMX": "GC MGC SI SIL HG",
    "NYB": "CC CT KC OJ SB DX",
}
_SUFFIXES: Mapping[str, str] = {root: name for name, roots in FUTURES_ROOTS.items() for root in roots.split()}


def _table(rows: str) -> Mapping[str, str]:
    return dict(row.split("=") for row in rows.split())


#: Bloomberg's root = Yahoo's root, if the two differ. A root of one letter is followed by a space (`C 1 COMDTY`).
_BLOOMBERG = _table("""
    C=ZC S=ZS W=ZW O=ZO BO=ZL SM=ZM RR=ZR KW=KE LC=LE LH=HE FC=GF CO=BZ XB=RB JO=OJ
    US=ZB TY=ZN FV=ZF TU=ZT WN=UB DM=YM NX=NKD NI=NIY AD=6A BP=6B CD=6C EC=6E JY=6J PE=6M NV=6N SF=6S
""")
#: TradingView's root = Yahoo's root.
_TRADINGVIEW = _table("BRN=BZ")
#: Commodity = root of its future. GOLD is also the ticker of a share, so it is only read after the name of a feed.
_COMMODITIES = _table("""
    TVC:GOLD=GC SILVER=SI COPPER=HG PLATINUM=PL PALLADIUM=PA USOIL=CL CRUDEOIL=CL UKOIL=BZ BRENT=BZ NATGAS=NG
    NATURALGAS=NG COFFEE=KC COTTON=CT SOYBEANS=ZS WHEAT=ZW
""")
_SECTOR = r" (?:COMDTY|INDEX|CURNCY)"
_CONTINUOUS = re.compile(r"[A-Z0-9]{1,5}=F")
_FRONT_MONTH = re.compile(r"(?:[A-Z_]+:)?([A-Z0-9]{1,3})1!|[/@]([A-Z0-9]{1,3})")
_BLOOMBERG_FRONT_MONTH = re.compile(rf"([A-Z0-9]{{1,4}}?) ?(?:1{_SECTOR}|A COMDTY)")
_SINGLE_MONTH = re.compile(rf"(?:[A-Z_]+:)?/?([A-Z0-9]{{1,3}}) ?([FGHJKMNQUVXZ])(?:20)?(\d{{1,2}})(?:{_SECTOR})?")


def read_future(text: str) -> list[str]:
    """Return the canonical symbols of a future, best first: `ES=F` for `ES1!`, `ESH26.CME` and `ES=F` for `ESH26`.

    Args:
        text: The symbol as a user wrote it, in capitals. If it is not the symbol of a future, the result is empty.
    """
    if _CONTINUOUS.fullmatch(text):
        return [text]
    if root := _COMMODITIES.get(text) or _COMMODITIES.get(text.removeprefix("TVC:")):
        return [f"{root}=F"]
    if match := _FRONT_MONTH.fullmatch(text):
        root = match[1] or match[2]
        return [f"{_TRADINGVIEW.get(root, root)}=F"]
    if match := _BLOOMBERG_FRONT_MONTH.fullmatch(text):
        return [f"{_BLOOMBERG.get(match[1], match[1])}=F"]
    return _read_single_month(text)


def _read_single_month(text: str) -> list[str]:
    match = _SINGLE_MONTH.fullmatch(text)
    if match is None:
        return []
    root, month, year = match.groups()
    root = _BLOOMBERG.get(root, root) if " " in text else root
    if root not in _SUFFIXES:
        return []
    is_complete = len(year) == 2  # a year of one digit may be in this decade or the next
    return [*([f"{root}{month}{year}.{_SUFFIXES[root]}"] if is_complete else []), f"{root}=F"]
