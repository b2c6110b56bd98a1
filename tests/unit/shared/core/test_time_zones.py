"""The time zones of exchanges."""

from zoneinfo import ZoneInfo

import pytest

from financehub_shared.core.kinds import AssetKind
from financehub_shared.core.symbols.exchanges import BY_SUFFIX
from financehub_shared.core.time_zones import ZONES, exchange_zone


def test_every_exchange_has_a_zone_that_exists():
    """No exchange is forgotten when one is added, and no zone is misspelled."""
    assert ZONES.keys() == BY_SUFFIX.keys()
    assert all(ZoneInfo(zone).key == zone for zone in ZONES.values())


@pytest.mark.parametrize(
    ("symbol", "kind", "currency", "zone"),
    [
        ("AAPL", AssetKind.EQUITY, "USD", "America/New_York"),
        ("7203.T", AssetKind.EQUITY, "JPY", "Asia/Tokyo"),
        ("X.UNKNOWN", AssetKind.EQUITY, "USD", "UTC"),
        ("BTC-USD", AssetKind.COIN, "USD", "UTC"),
        ("EURUSD=X", AssetKind.FX, "USD", "America/New_York"),
        ("^N225", AssetKind.INDEX, "JPY", "Asia/Tokyo"),
        ("^FTSE", AssetKind.INDEX, "GBP", "Europe/London"),
        ("^STOXX50E", AssetKind.INDEX, "EUR", "Europe/Paris"),
        ("ES=F", AssetKind.FUTURE, "USD", "America/Chicago"),
        ("CLH26.NYM", AssetKind.FUTURE, "USD", "America/New_York"),
    ],
)
def test_exchange_zone_is_that_of_the_market(symbol: str, kind: AssetKind, currency: str, zone: str):
    """The suffix decides, and for assets without one the root of the future or the currency of the index."""
    assert exchange_zone(symbol, kind, currency) == zone
