"""Tests of the table of kinds: derivation from the symbol, provider order, hours and currency rule."""

import pytest

from financehub_shared.core.asset_selection import select_assets
from financehub_shared.core.catalog import CATALOG
from financehub_shared.core.kinds import KINDS, AssetKind, AssetType, derive_kind
from financehub_shared.core.models import Asset
from financehub_shared.core.provider_specs import PROVIDERS, Dataset, default_order

DATASET_OF_TYPE = {AssetType.CRYPTO: Dataset.CRYPTO_QUOTES, AssetType.STOCK: Dataset.STOCK_QUOTES}


def asset_of(kind: AssetKind) -> Asset:
    """Return an asset whose kind is stated, so it does not depend on the spelling of the symbol."""
    return Asset(f"{kind.upper()}1", kind.type, stated_kind=kind)


@pytest.mark.parametrize(
    ("symbol", "kind"),
    [
        ("AAPL", AssetKind.EQUITY),
        ("BRK-B", AssetKind.EQUITY),
        ("VOD.L", AssetKind.EQUITY),
        ("SPY", AssetKind.EQUITY),
        ("VFIAX", AssetKind.FUND),
        ("0P000071W8.TO", AssetKind.FUND),
        ("^GSPC", AssetKind.INDEX),
        ("^TA125.TA", AssetKind.INDEX),
        ("000001.SS", AssetKind.INDEX),
        ("DX-Y.NYB", AssetKind.INDEX),
        ("600519.SS", AssetKind.EQUITY),
        ("EURUSD=X", AssetKind.FX),
        ("JPY=X", AssetKind.FX),
        ("GC=F", AssetKind.FUTURE),
        ("ESZ26.CME", AssetKind.FUTURE),
    ],
)
def test_derive_kind_of_a_stock_follows_its_symbol(symbol: str, kind: AssetKind):
    """The form of a symbol shows its kind, and an asset of the type crypto is always a coin (D14)."""
    assert derive_kind(symbol, AssetType.STOCK) is kind
    assert derive_kind(symbol, AssetType.CRYPTO) is AssetKind.COIN


@pytest.mark.parametrize("kind", AssetKind)
def test_providers_of_a_kind_are_in_the_default_order_of_its_dataset(kind: AssetKind):
    """A row names providers of the kind's dataset, in the default order, which the settings may change (D14)."""
    order = default_order(DATASET_OF_TYPE[kind.type])
    named = KINDS[kind].providers
    assert list(named) == [name for name in order if name in named]
    assert any(Dataset.BARS in PROVIDERS[name].datasets for name in named)


def test_every_provider_of_assets_serves_a_kind():
    """Each provider that delivers data on single assets is in a row of the table."""
    named = {name for spec in KINDS.values() for name in spec.providers}
    assert named == {name for name, spec in PROVIDERS.items() if spec.datasets - {Dataset.NEWS}}


@pytest.mark.parametrize(
    ("task", "type"), [("fetch_crypto_prices_task", AssetType.CRYPTO), ("fetch_stock_prices_task", AssetType.STOCK)]
)
def test_price_task_selects_exactly_the_assets_of_its_type(task: str, type: AssetType):
    """Given an asset of every kind, each price task takes exactly those of its type, and both tasks take all (D14)."""
    known = [asset_of(kind) for kind in AssetKind]
    selected = select_assets(task, None, known)
    assert CATALOG[task].asset_type is type
    assert [asset.kind for asset in selected] == [kind for kind in AssetKind if kind.type is type]
    assert len(known) == sum(
        len(select_assets(name, None, known)) for name, spec in CATALOG.items() if spec.asset_type is not None
    )
