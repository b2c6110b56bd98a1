"""Tests that views which are used again are equal to views that are made from the start."""

from dataclasses import replace

import pytest

from financehub_shared.core.kinds import AssetType
from financehub_shared.core.models import Asset, Quality
from financehub_shared.views.quotes import quote_view
from financehub_web.reading.quote_views import QuoteViews
from support.market_data import T0, quote

BTC, ETH = Asset("BTC-USD", AssetType.CRYPTO), Asset("ETH-USD", AssetType.CRYPTO)
LIMITS = {"quotes:crypto": 300.0}


@pytest.mark.parametrize("later", [0.0, 299.0, 301.0])
def test_view_of_an_unchanged_quote_has_its_present_age(later: float) -> None:
    """Only the age and whether the price is stale differ, and every text is the same object."""
    views, stored = QuoteViews(), {"BTC-USD": quote("BTC-USD", "1", fetched_at=T0)}
    (first,) = views.of([BTC], stored, T0, LIMITS)
    (second,) = views.of([BTC], stored, T0 + later, LIMITS)
    assert second == quote_view(BTC, stored["BTC-USD"], T0 + later, LIMITS)
    assert second["stale"] == (later > 300)
    assert second["price"] is first["price"]
    assert first["age_seconds"] == 0


def test_view_of_a_changed_quote_or_asset_is_new() -> None:
    """A new price, a corrected note and an asset of another type are shown at once, and a quote that is gone is not."""
    views = QuoteViews()
    old = quote("BTC-USD", "1", fetched_at=T0)
    views.of([BTC, ETH], {"BTC-USD": old, "ETH-USD": quote("ETH-USD", "5", fetched_at=T0)}, T0, LIMITS)
    for changed in (quote("BTC-USD", "2", fetched_at=T0), replace(old, quality=Quality.CORRECTED, note="in cents")):
        assert views.of([BTC, ETH], {"BTC-USD": changed}, T0, LIMITS) == [quote_view(BTC, changed, T0, LIMITS)]
    stock = replace(BTC, type=AssetType.STOCK)
    (view,) = views.of([stock], {"BTC-USD": old}, T0 + 301, {**LIMITS, "quotes:stock": 900.0})
    assert (view["type"], view["stale"]) == ("stock", False)
