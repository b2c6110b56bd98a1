"""Tests of identifiers of securities, which are not symbols (D11)."""

import pytest

from financehub_shared.core.symbols.identifiers import name_identifier

IDENTIFIERS = {
    "US0378331005": "ISIN",
    "GB00BH4HKS39": "ISIN",
    "IE00B4L5Y983": "ISIN",
    "037833100": "CUSIP",
    "88160R101": "CUSIP",
    "2046251": "SEDOL",
    "BH4HKS3": "SEDOL",
    "BBG000B9XRY4": "FIGI",
}


def test_identifier_is_named():
    """Identifiers of real securities are recognized."""
    assert {text: name_identifier(text) for text in IDENTIFIERS} == IDENTIFIERS


@pytest.mark.parametrize(
    "text", ["US0378331006", "037833101", "2046252", "AAPL", "STK0001", "600519", "1000SATS", "0P0000XVLG", "MNQZ26"]
)
def test_symbol_or_text_with_a_wrong_check_digit_is_not_an_identifier(text: str):
    """Without the right check digit, a text may be a symbol."""
    assert name_identifier(text) is None
