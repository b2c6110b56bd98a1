"""Tests of the encoding of records in Redis."""

from dataclasses import replace
from decimal import Decimal

from financehub_shared.core.models import Quality, Quote
from financehub_shared.market.encoding.records import decode_quote, encode_quote

QUOTE = Quote("VOD.L", Decimal("0.73"), "GBP", None, 1_800_000_000.0, "yahoo", quality=Quality.CORRECTED, note="pence")


def test_decode_quote_returns_encoded_quote():
    """A quote survives encoding and decoding, whatever its quality."""
    for quote in (QUOTE, replace(QUOTE, quality=Quality.GOOD)):
        assert decode_quote("VOD.L", encode_quote(quote).encode()) == quote


def test_decode_quote_with_former_quality_value_returns_corrected():
    """Quotes that were stored under the former name of the quality can still be read."""
    stored = encode_quote(QUOTE).replace('"corrected"', '"mended"')
    assert decode_quote("VOD.L", stored.encode()) == QUOTE
