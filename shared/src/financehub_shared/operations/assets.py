"""Adds, removes and imports assets that the assets file does not declare."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from financehub_shared.core.errors import ConfigError, NewerRecordError
from financehub_shared.core.kinds import AssetKind, AssetType
from financehub_shared.core.models import Asset
from financehub_shared.core.near_names import require_symbol
from financehub_shared.core.symbols.spelling import Spelling, find_spellings
from financehub_shared.market.asset_entry import read_entry
from financehub_shared.market.protocols import Store
from financehub_shared.market.unreadable import Unreadable


def add_asset(store: Store, fields: Mapping[str, Any]) -> Asset:
    """Add an asset, or replace one that was added in this way, and return it.

    Args:
        store: The market data.
        fields: The fields of an entry of the assets file. The symbol may be in lower case.

    Raises:
        ConfigError: A field is wrong, or the assets file declares the asset.
        NewerRecordError: A newer release wrote the asset.
    """
    kind = fields.get("kind")
    symbol = _in_capitals(str(fields["symbol"]).strip(), AssetType(fields["type"]), AssetKind(kind) if kind else None)
    asset, problems = read_entry({**fields, "symbol": symbol})
    if asset is None:
        raise ConfigError("; ".join(problem for _, problem in problems))
    unreadable: Unreadable = {}
    _refuse_declared(store.assets(active_only=False, unreadable=unreadable), [asset.symbol], "change")
    newer = unreadable.get(asset.symbol)
    if isinstance(newer, NewerRecordError):
        raise newer
    store.put_assets([asset])
    return asset


def remove_assets(store: Store, symbols: Sequence[str]) -> list[str]:
    """Remove assets with their quotes, bars and indicators, and return their symbols.

    Args:
        store: The market data.
        symbols: Symbols in upper or lower case. Records that cannot be read can be removed too.

    Raises:
        UnknownNameError: A symbol is unknown.
        ConfigError: The assets file declares one of the assets.
    """
    removed = find_removable(store, symbols)
    store.remove_assets(removed)
    return removed


def find_removable(store: Store, symbols: Sequence[str]) -> list[str]:
    """Return the symbols of assets that can be removed.

    Args:
        store: The market data.
        symbols: Symbols in upper or lower case. Records that cannot be read can be removed too.

    Raises:
        UnknownNameError: A symbol is unknown.
        ConfigError: The assets file declares one of the assets.
    """
    unreadable: Unreadable = {}
    stored = store.assets(active_only=False, unreadable=unreadable)
    known = {asset.symbol for asset in stored} | set(unreadable)
    found = [require_symbol(symbol, known) for symbol in symbols]
    _refuse_declared(stored, found, "remove")
    return found


@dataclass(frozen=True, slots=True)
class ImportPlan:
    """What an import changes. Each asset of the file is in exactly one list.

    Args:
        changed: Assets that are written, because they are new or differ from the stored ones.
        unchanged: Assets that are stored already.
        declared: Assets that the assets file of the scheduler declares, which are not changed.
        newer: Assets that a newer release wrote, which are not changed.
    """

    changed: list[Asset]
    unchanged: list[Asset]
    declared: list[Asset]
    newer: list[Asset]


def plan_import(store: Store, imported: Sequence[Asset]) -> ImportPlan:
    """Return what an import of assets changes, without changing anything.

    Args:
        store: The market data.
        imported: The assets of the file.
    """
    unreadable: Unreadable = {}
    stored = {asset.symbol: asset for asset in store.assets(active_only=False, unreadable=unreadable)}
    plan = ImportPlan([], [], [], [])
    for asset in imported:
        present = stored.get(asset.symbol)
        if present is not None and present.declared:
            plan.declared.append(asset)
        elif isinstance(unreadable.get(asset.symbol), NewerRecordError):
            plan.newer.append(asset)
        else:
            (plan.unchanged if present == asset else plan.changed).append(asset)
    return plan


def _in_capitals(symbol: str, type: AssetType, kind: AssetKind | None) -> str:
    """Return the symbol in capitals if nothing else is wrong with it, so that users can write it in lower case."""
    capitals = symbol.upper()
    return capitals if Spelling(capitals, type) in find_spellings(symbol, type, kind) else symbol


def _refuse_declared(stored: Sequence[Asset], symbols: Sequence[str], action: str) -> None:
    """Raise if the assets file declares one of the symbols.

    Args:
        stored: All stored assets.
        symbols: Symbols that are to be changed.
        action: Verb for what the user should do in the file.
    """
    declared = [asset.symbol for asset in stored if asset.declared and asset.symbol in symbols]
    if declared:
        names = ", ".join(declared)
        raise ConfigError(f"{names}: declared in the assets file, which would undo this change; {action} it there")
