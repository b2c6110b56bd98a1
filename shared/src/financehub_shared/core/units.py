"""Minor currency units that exchanges quote in, and their major unit. Pure."""

from collections.abc import Mapping

#: Unit as upstreams write it → (ISO 4217 code of the major unit, minor units in one major unit).
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


def major(currency: str) -> tuple[str, int]:
    """The major unit of `currency` and what a price must be divided by: `GBp` → (`GBP`, 100), `USD` → (`USD`, 1)."""
    return MINOR_UNITS.get(currency, (currency, 1))
