"""Tests that exported assets are read again without a loss (C10)."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from financehub_shared.core.kinds import AssetKind, AssetType
from financehub_shared.core.models import Asset
from financehub_shared.market.asset_entry import read_entry
from financehub_shared.market.assets_export import entry_of, why_not_importable, write_assets
from financehub_shared.market.assets_file import load_assets, parse_assets

ASSETS_FILE = Path(__file__).parents[4] / "deploy/local/assets.yaml"

_texts = st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=40).map(lambda text: " ".join(text.split()))
_fields = st.fixed_dictionaries(
    {
        "symbol": st.sampled_from(["AAPL", "ON", "NO", "VOD.L", "^GSPC", "GC=F", "EURUSD=X", "SPY", "BRK-B", "7203.T"]),
        "type": st.just("stock"),
        "name": _texts,
        "active": st.booleans(),
        "currency": st.sampled_from(["", "EUR", "USD"]),
        "kind": st.sampled_from([None, "fund", "equity"]),
        "providers": st.dictionaries(st.sampled_from(["yahoo", "finnhub"]), st.sampled_from(["X", "{a}", "#b", "'"])),
        "aliases": st.lists(_texts.filter(lambda text: 2 <= len(text) <= 60), max_size=3, unique_by=str.casefold),
        "exchanges": st.sampled_from([[], ["NASDAQ"], ["NYSE", "LSE"]]),
    }
)


@given(st.lists(_fields, max_size=6, unique_by=lambda fields: fields["symbol"]))
@settings(max_examples=30)
def test_any_valid_assets_survive_export_and_import(entries: list[dict[str, object]]) -> None:
    """What the command line can add is the same after an export and an import, whatever its texts contain."""
    assets = [asset for asset, _ in map(read_entry, entries) if asset is not None]
    assert parse_assets(write_assets(assets), "-") == assets
    assert [why_not_importable(asset) for asset in assets] == [""] * len(assets)


def test_assets_of_make_run_survive_export_and_import() -> None:
    """The declared assets of `make run` are exported in their own format."""
    assets = load_assets(ASSETS_FILE)
    assert parse_assets(write_assets(assets), "-") == assets
    assert len(write_assets(assets).splitlines()) == len(assets) + 2


def test_empty_list_is_read_again() -> None:
    """An export of no asset is a valid file."""
    assert parse_assets(write_assets([]), "-") == []


def test_fields_that_follow_from_others_are_left_out() -> None:
    """A line has only what the user would write, and the currency only if the symbol does not show it."""
    assert entry_of(Asset("BTC-USD", AssetType.CRYPTO, "Bitcoin")) == {
        "symbol": "BTC-USD",
        "type": "crypto",
        "name": "Bitcoin",
    }
    assert entry_of(Asset("SPOT", AssetType.STOCK, currency="EUR"))["currency"] == "EUR"
    assert entry_of(Asset("SPY", AssetType.STOCK, stated_kind=AssetKind.FUND))["kind"] == "fund"


@pytest.mark.parametrize(
    "asset",
    [
        Asset("apple inc", AssetType.STOCK),
        Asset("EURUSD=X", AssetType.STOCK, currency="GBP"),
        replace(Asset("AAPL", AssetType.STOCK), provider_symbols={"gone": "X"}),
    ],
)
def test_asset_that_an_import_would_refuse_has_a_reason(asset: Asset) -> None:
    """Another release may have stored what this one refuses, and the export says so."""
    assert why_not_importable(asset)
