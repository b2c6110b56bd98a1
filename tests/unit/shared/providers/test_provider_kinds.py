"""Tests that the providers of a process serve the kinds of assets that the table of kinds names (D14)."""

import pytest

from financehub_shared.core.clock import SystemClock
from financehub_shared.core.kinds import KINDS, AssetKind, AssetType
from financehub_shared.core.models import Asset
from financehub_shared.core.settings import load_settings
from financehub_shared.providers.build import build_providers
from financehub_shared.providers.protocols import QuoteProvider

SYMBOLS = {
    AssetKind.COIN: "BTC-USD",
    AssetKind.EQUITY: "AAPL",
    AssetKind.FUND: "VFIAX",
    AssetKind.INDEX: "^GSPC",
    AssetKind.FX: "EURUSD=X",
    AssetKind.FUTURE: "GC=F",
}


def quote_order(asset: Asset, **variables: str) -> list[str]:
    """Return the providers that are called for the quote of an asset, in order."""
    settings = load_settings({"FINANCEHUB_FINNHUB_API_KEY": "k3y"} | variables)
    providers = build_providers(settings, SystemClock(), lambda *_: None, redis_url=None)
    order: list[QuoteProvider] = list(providers.quotes[asset.type])
    return [provider.name for provider in order if provider.serves(asset)]


@pytest.mark.parametrize("kind", AssetKind)
def test_quote_order_of_a_kind_is_its_row_in_the_table(kind: AssetKind):
    """With the default settings, the providers in the row of the asset's kind are called in the order of the row."""
    asset = Asset(SYMBOLS[kind], kind.type)
    assert asset.kind is kind
    assert quote_order(asset) == list(KINDS[kind].providers)


def test_quote_order_of_a_setting_applies_to_the_providers_of_the_kind():
    """The order of the setting decides among the providers of the row: Finnhub first, but not for an index."""
    first = {"FINANCEHUB_STOCK_PROVIDERS": "finnhub,yahoo"}
    assert quote_order(Asset("AAPL", AssetType.STOCK), **first) == ["finnhub", "yahoo"]
    assert quote_order(Asset("^GSPC", AssetType.STOCK), **first) == ["yahoo"]


@pytest.mark.parametrize("symbol", ["^GSPC", "EURUSD=X", "GC=F"])
def test_provider_outside_the_row_serves_an_asset_that_states_its_symbol(symbol: str):
    """A paid plan may serve more kinds. A provider outside the row serves an asset that states this symbol."""
    stated = Asset(symbol, AssetType.STOCK, provider_symbols={"finnhub": "OWN"})
    assert quote_order(stated) == ["yahoo", "finnhub"]
