"""How prices are shown."""

import pytest

from financehub_web.console.prices import aligned_price, price


@pytest.mark.parametrize(
    ("number", "kind", "text"),
    [
        ("71416.5641", "coin", "71,416.56"),
        ("8.66707", "coin", "8.67"),
        ("0.84", "coin", "0.8400"),
        ("0.00002588455", "coin", "0.00002588"),
        ("1.08321", "fx", "1.0832"),
        ("163.254", "fx", "163.25"),
        ("-12.5", "", "-12.50"),
        ("0", "", "0.00"),
        (None, "", "–"),
        ("NaN", "", "–"),
    ],
)
def test_price_has_the_places_that_its_kind_and_size_need(number: str | None, kind: str, text: str) -> None:
    """Prices from 1 upward have two places, rates of currencies four, and small prices four significant digits."""
    assert price(number, kind) == text


def test_aligned_prices_have_their_points_below_each_other() -> None:
    """A price with fewer places ends with spaces as wide as digits. One with very many does not move the others."""
    shown = [str(aligned_price(number, "coin", 8)) for number in ("71416.56", "0.84", "0.00002588")]
    assert shown == ['71,416.56<span class="pad">\u2007\u2007</span>', "0.8400", "0.00002588"]
