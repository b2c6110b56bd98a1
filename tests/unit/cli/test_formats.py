"""Tests of time and price formats."""

import pytest

from financehub_cli.output.formats import age_cell, readable_price, readable_time


def test_readable_time_is_utc_with_seconds():
    """Times in tables are in UTC to the second, and a missing time yields an empty cell."""
    assert readable_time(1_800_000_000.1234) == "2027-01-15 08:00:00Z"
    assert readable_time(None) == ""


def test_age_cell_marks_stale_data():
    """The age of stale data is followed by the word "stale"."""
    assert age_cell(192, stale=False).text == "3m 12s"
    assert age_cell(192, stale=True).text == "3m 12s stale"


@pytest.mark.parametrize(
    ("price", "shown"),
    [
        ("76150.7477758943500", "76,150.75"),
        ("439.18", "439.18"),
        ("13.06170", "13.0617"),
        ("0.000025884550", "0.0000258846"),
        ("1000000", "1,000,000.00"),
        ("0", "0"),
    ],
)
def test_readable_price_has_two_decimals_or_six_digits(price: str, shown: str):
    """A price of 100 or more has two decimal places, and a lower price six significant digits."""
    assert readable_price(price) == shown
