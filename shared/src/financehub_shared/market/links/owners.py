"""Collects what the linker knows about each asset that a name can mean."""

from dataclasses import dataclass
from enum import Enum, auto

from financehub_shared.core.kinds import AssetKind
from financehub_shared.core.models import Asset
from financehub_shared.market.links.known_assets import KnownAsset, known_asset
from financehub_shared.market.links.vocabulary import FUND_FAMILIES


class Family(Enum):
    """Groups of kinds whose assets occur in the same lists and with the same words around them."""

    COMPANY = auto()
    COIN = auto()
    MARKET = auto()


#: Words in the names of funds.
_FUNDS = FUND_FAMILIES | {"etf"}
_MARKETS = {AssetKind.INDEX, AssetKind.FUTURE, AssetKind.FX}


@dataclass(frozen=True, slots=True)
class Owner:
    """An asset that names can mean.

    Args:
        kind: Kind of the asset.
        family: Family of the kind.
        known: What is known about the asset.
    """

    kind: AssetKind
    family: Family
    known: KnownAsset


def owner_of(asset: Asset) -> Owner:
    """Return what is known about an asset."""
    known, kind, family = known_asset(asset.symbol), asset.kind, Family.COMPANY
    if kind is AssetKind.EQUITY and any(not _FUNDS.isdisjoint(name.lower().split()) for name in known.names):
        kind = AssetKind.FUND  # if the asset has no name, its kind does not show that it is a fund
    if asset.kind is AssetKind.COIN:
        family = Family.COIN
    elif asset.kind in _MARKETS:
        family = Family.MARKET
    return Owner(kind, family, known)
