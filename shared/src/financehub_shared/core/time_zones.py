"""The time zone of the exchange on which an asset is traded, for people who read its times."""

from collections.abc import Mapping

from financehub_shared.core.kinds import AssetKind
from financehub_shared.core.symbols.exchanges import EXCHANGES, split_suffix
from financehub_shared.core.symbols.futures import FUTURES_ROOTS

#: Zone of the IANA database → Yahoo's suffixes of the exchanges in it.
_SUFFIXES: Mapping[str, str] = {
    "America/New_York": "NYM CMX NYB",
    "America/Chicago": "CME CBT",
    "America/Toronto": "TO V CN NE",
    "America/Mexico_City": "MX",
    "America/Argentina/Buenos_Aires": "BA",
    "America/Sao_Paulo": "SA",
    "America/Santiago": "SN",
    "America/Bogota": "CL",
    "America/Lima": "LM",
    "America/Caracas": "CR",
    "Europe/London": "L IL AQ XC",
    "Europe/Dublin": "IR",
    "Europe/Berlin": "DE F SG MU DU HM HA BE BM",
    "Europe/Paris": "PA NX",
    "Europe/Amsterdam": "AS XD",
    "Europe/Brussels": "BR",
    "Europe/Lisbon": "LS",
    "Europe/Rome": "MI TI",
    "Europe/Madrid": "MC",
    "Europe/Zurich": "SW",
    "Europe/Vienna": "VI",
    "Europe/Athens": "AT",
    "Europe/Stockholm": "ST",
    "Europe/Copenhagen": "CO",
    "Europe/Helsinki": "HE",
    "Europe/Oslo": "OL",
    "Atlantic/Reykjavik": "IC",
    "Europe/Tallinn": "TL",
    "Europe/Riga": "RG",
    "Europe/Vilnius": "VS",
    "Europe/Warsaw": "WA",
    "Europe/Prague": "PR",
    "Europe/Budapest": "BD",
    "Europe/Bucharest": "RO",
    "Europe/Moscow": "ME",
    "Europe/Istanbul": "IS",
    "Asia/Jerusalem": "TA",
    "Asia/Riyadh": "SR",
    "Asia/Dubai": "AE",
    "Asia/Qatar": "QA",
    "Asia/Kuwait": "KW",
    "Africa/Cairo": "CA",
    "Africa/Johannesburg": "JO",
    "Asia/Tokyo": "T",
    "Asia/Hong_Kong": "HK",
    "Asia/Shanghai": "SS SZ",
    "Asia/Taipei": "TW TWO",
    "Asia/Seoul": "KS KQ",
    "Asia/Kolkata": "NS BO",
    "Asia/Singapore": "SI",
    "Asia/Kuala_Lumpur": "KL",
    "Asia/Jakarta": "JK",
    "Asia/Bangkok": "BK",
    "Asia/Manila": "PS",
    "Asia/Ho_Chi_Minh": "VN",
    "Asia/Karachi": "KA",
    "Asia/Colombo": "CM",
    "Australia/Sydney": "AX XA",
    "Pacific/Auckland": "NZ",
}
#: Stocks in the US have no suffix. The trading day of currencies ends at 17:00 in New York.
_NEW_YORK = "America/New_York"
#: Suffix → zone.
ZONES: Mapping[str, str] = {"": _NEW_YORK} | {
    suffix: zone for zone, suffixes in _SUFFIXES.items() for suffix in suffixes.split()
}
_FUTURES: Mapping[str, str] = {root: ZONES[suffix] for suffix, roots in FUTURES_ROOTS.items() for root in roots.split()}
#: Currency → zone of the exchange that is first in its list, for indices.
_BY_CURRENCY: Mapping[str, str] = {
    exchange.currency: ZONES[exchange.suffix] for exchange in reversed(EXCHANGES) if exchange.country
} | {"EUR": "Europe/Paris", "USD": _NEW_YORK}


def exchange_zone(symbol: str, kind: AssetKind, currency: str) -> str:
    """Return the name of the time zone in which an asset is traded. It is UTC for coins and for unknown exchanges.

    Args:
        symbol: Canonical symbol.
        kind: Kind of the asset.
        currency: Currency of its prices.
    """
    if kind is AssetKind.COIN:
        return "UTC"
    if kind is AssetKind.FX:
        return _NEW_YORK
    if kind is AssetKind.INDEX:
        return _BY_CURRENCY.get(currency, "UTC")
    if symbol.endswith("=F"):
        return _FUTURES.get(symbol.removesuffix("=F"), _NEW_YORK)
    _, exchange = split_suffix(symbol)
    return ZONES[exchange.suffix] if exchange is not None else "UTC"
