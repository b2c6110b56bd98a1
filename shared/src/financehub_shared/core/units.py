"""Converts the minor currency units in which some exchanges quote, such as pence, to the major unit."""

from collections.abc import Mapping

#: Unit as upstreams write it → (ISO 4217 code of the major unit, number of minor units in one major unit).
#: London quotes pence, Johannesburg cents, Tel Aviv agorot, Kuwait fils; some US futures are in cents.
MINOR_UNITS: Mapping[str, tuple[str, int]] = {
    "GBp": ("GBP", 100),
    "GBX": ("GBP", 100),
    "ZAc": ("ZAR", 100),
    "ZAX": ("ZAR", 100),
    "ILA": ("ILS", 100),
    "ILX": ("ILS", 100),
    "KWF": ("KWD", 1_000),
    "USX": ("USD", 100),
}


def to_major_unit(currency: str) -> tuple[str, int]:
    """Return a currency's major unit and the divisor for prices: `GBp` → (`GBP`, 100), `USD` → (`USD`, 1)."""
    return MINOR_UNITS.get(currency, (currency, 1))
