"""Tests of the record encoding in Redis."""

from dataclasses import replace
from decimal import Decimal

from financehub_shared.core.models import Quality, Quote
from financehub_shared.market.encoding.records import decode_quote, encode_quote

QUOTE = Quote("VOD.L", Decimal("0.73"), "GBP", None, 1_800_000_000.0, "yahoo", quality=Quality.CORRECTED, note="pence")


def test_decode_quote_returns_encoded_quote():
    """A quote of any quality survives encoding and decoding."""
    for quote in (QUOTE, replace(QUOTE, quality=Quality.GOOD)):
        assert decode_quote("VOD.L", encode_quote(quote).encode()) == quote


def test_encode_quote_writes_corrected_quality_as_earlier_releases_do():
    """Earlier releases, which run during an upgrade and after a rollback, can read a corrected quote."""
    assert '"quality":"mended"' in encode_quote(QUOTE)


def test_decode_quote_with_current_quality_value_returns_corrected():
    """A quote whose quality was stored under its current name can also be read."""
    stored = encode_quote(QUOTE).replace('"mended"', '"corrected"')
    assert decode_quote("VOD.L", stored.encode()) == QUOTE
