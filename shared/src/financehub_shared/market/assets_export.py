"""Writes assets in the format of the assets file, so that `load_assets` reads the same assets again."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import yaml

from financehub_shared.core.models import Asset
from financehub_shared.market.asset_entry import read_entry

_HEAD = "# The assets of FinanceHub, in the format of the assets file. `financehub assets import FILE` reads them.\n"


def entry_of(asset: Asset) -> dict[str, Any]:
    """Return the entry of the assets file that declares an asset. Fields that follow from others are left out."""
    entry: dict[str, Any] = {"symbol": asset.symbol, "type": asset.type.value}
    if asset.stated_kind is not None:
        entry["kind"] = asset.stated_kind.value
    if asset.name:
        entry["name"] = asset.name
    if not asset.active:
        entry["active"] = False
    lists: Mapping[str, Any] = {
        "providers": dict(asset.provider_symbols),
        "aliases": list(asset.aliases),
        "exchanges": list(asset.exchanges),
    }
    entry |= {name: value for name, value in lists.items() if value}
    derived, _ = read_entry(entry)
    if derived is None or derived.currency != asset.currency:
        entry["currency"] = asset.currency
    return entry


def why_not_importable(asset: Asset) -> str:
    """Return why the entry of an asset would be refused or changed by an import, or an empty string.

    Older releases and other programs can store assets that this release no longer accepts.
    """
    again, problems = read_entry(entry_of(asset))
    if problems:
        return "; ".join(problem for _, problem in problems)
    return "" if again == replace(asset, declared=False) else "an import would change it"


def write_assets(assets: Iterable[Asset]) -> str:
    """Return the contents of an assets file with one line for each asset."""
    lines = [f"  - {_flow(entry_of(asset))}\n" for asset in assets]
    return f"{_HEAD}assets:\n{''.join(lines)}" if lines else f"{_HEAD}assets: []\n"


def _flow(entry: Mapping[str, Any]) -> str:
    text = yaml.safe_dump(dict(entry), default_flow_style=True, sort_keys=False, width=float("inf"), allow_unicode=True)
    return str(text).strip()
