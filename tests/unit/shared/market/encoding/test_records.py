"""Tests of the record encoding in Redis."""

import json
from dataclasses import replace
from decimal import Decimal

import pytest

from financehub_shared.core.errors import CorruptDataError, NewerRecordError
from financehub_shared.core.kinds import AssetKind, AssetType
from financehub_shared.core.models import Asset, Quality, Quote
from financehub_shared.market.encoding.records import (
    QUOTE_ORDER_LENGTH,
    decode_asset,
    decode_quote,
    encode_asset,
    encode_quote,
)

QUOTE = Quote("VOD.L", Decimal("0.73"), "GBP", None, 1_800_000_000.0, "yahoo", quality=Quality.CORRECTED, note="pence")


def test_decode_quote_returns_encoded_quote():
    """A quote of any quality survives encoding and decoding."""
    for quote in (replace(QUOTE, quality=quality) for quality in Quality):
        assert decode_quote("VOD.L", encode_quote(quote).encode()) == quote


def test_encode_quote_writes_corrected_quality_as_earlier_releases_do():
    """Earlier releases, which run during an upgrade and after a rollback, can read a corrected quote."""
    assert '"quality":"mended"' in encode_quote(QUOTE)


def test_decode_quote_with_current_quality_value_returns_corrected():
    """A quote whose quality was stored under its current name can also be read."""
    stored = encode_quote(QUOTE).replace('"mended"', '"corrected"')
    assert decode_quote("VOD.L", stored.encode()) == QUOTE


@pytest.mark.parametrize("price", ["0", "-1", "1E-90", "1E+90", "9" * 40])
def test_decode_quote_with_an_impossible_price_raises(price: str):
    """S5: a damaged price is not a jump that keeps the right price out. It counts as missing."""
    stored = encode_quote(QUOTE).replace('"0.73"', f'"{price}"')
    with pytest.raises(CorruptDataError, match="outside the plausible range"):
        decode_quote("VOD.L", stored.encode())


@pytest.mark.parametrize("own", ["A,B", "A B", "A\n", "x" * 10_000])
def test_decode_asset_with_a_provider_symbol_that_affects_others_raises(own: str):
    """S1: a provider's own symbol that would damage the request for many symbols leaves out only its own asset."""
    stored = encode_asset(Asset("AAPL", AssetType.STOCK, provider_symbols={"yahoo": own}))
    with pytest.raises(CorruptDataError, match="own symbol"):
        decode_asset("AAPL", stored.encode())


@pytest.mark.parametrize(
    "asset",
    [
        Asset("SPY", AssetType.STOCK, "SPDR S&P 500", stated_kind=AssetKind.FUND),
        Asset("GOOGL", AssetType.STOCK, "Alphabet", aliases=("Google", "YouTube"), exchanges=("NASDAQ",)),
        Asset("BTC-USD", AssetType.CRYPTO, "Bitcoin", provider_symbols={"kraken": "XBTUSD"}, declared=True),
    ],
)
def test_decode_asset_returns_encoded_asset(asset: Asset):
    """An asset survives encoding and decoding, with its stated kind, aliases and exchanges (D14)."""
    assert decode_asset(asset.symbol, encode_asset(asset).encode()) == asset


def test_encode_asset_leaves_out_defaults():
    """An asset without optional properties has only three fields, as in earlier releases."""
    assert encode_asset(Asset("AAPL", AssetType.STOCK)) == '{"type":"stock","name":"","currency":"USD"}'


def test_encode_unconfirmed_quote_is_corrected_for_earlier_releases():
    """An earlier release, which knows only `good` and `corrected`, reads an unconfirmed quote as corrected."""
    stored = json.loads(encode_quote(replace(QUOTE, quality=Quality.UNCONFIRMED))[QUOTE_ORDER_LENGTH:])
    assert (stored["quality"], stored["note"]) == ("mended", "pence")


def test_decode_quote_with_unknown_quality_returns_unconfirmed():
    """A quality of a newer release counts as unconfirmed, and the note names it (S4)."""
    stored = encode_quote(QUOTE).replace('"mended"', '"audited"')
    assert decode_quote("VOD.L", stored.encode()) == replace(
        QUOTE, quality=Quality.UNCONFIRMED, note="pence; the quality 'audited' is of a newer release"
    )


@pytest.mark.parametrize(("field", "value"), [("type", "bond"), ("kind", "option")])
def test_decode_asset_with_unknown_type_or_kind_raises_newer_record_error(field: str, value: str):
    """An asset of a newer release is distinguished from a damaged one, which alone may be replaced (D13, S2)."""
    stored = json.dumps({"type": "stock", "name": "", "currency": "USD", field: value}).encode()
    with pytest.raises(NewerRecordError, match=f"{value}.*`financehub assets remove X` removes it"):
        decode_asset("X", stored)
