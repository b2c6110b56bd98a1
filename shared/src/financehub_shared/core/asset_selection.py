"""Selects assets by the symbols that a user or a run names."""

from collections.abc import Collection, Container, Iterable, Mapping, Sequence, Sized

from financehub_shared.core.catalog import CATALOG
from financehub_shared.core.errors import InvalidArgumentsError
from financehub_shared.core.models import Asset
from financehub_shared.core.near_names import require_symbol
from financehub_shared.core.symbols.spelling import suggest_symbols


def named_assets(
    symbols: Sequence[str] | None, known: Mapping[str, Asset], unreadable: Container[str] = ()
) -> list[Asset]:
    """Return the assets with the symbols that a user named, in the same order.

    Args:
        symbols: Symbols in upper or lower case. If there are none, all active assets are returned.
        known: Symbol → asset, for all assets, including inactive ones.
        unreadable: Symbols whose records cannot be read. They are left out.

    Raises:
        UnknownNameError: A symbol is unknown.
    """
    if not symbols:
        return [asset for asset in known.values() if asset.active]
    readable = [symbol for symbol in symbols if symbol.upper() not in unreadable]
    return [known[require_symbol(symbol, known)] for symbol in readable]


def select_assets(
    task: str, symbols: Sequence[str] | None, known: Iterable[Asset], unreadable: Container[str] = ()
) -> list[Asset]:
    """Return a run's assets.

    The CLI and the scheduler call this function too, so an invalid symbol never reaches a queue.

    Args:
        task: Name of a task in the catalog. Its `asset_type` decides which assets it takes; None takes all types.
        symbols: Canonical symbols to which the run is limited. None selects every active asset of the type.
        known: All assets, including inactive ones.
        unreadable: Symbols whose records cannot be read. They are left out, so that the run serves the other symbols.

    Raises:
        InvalidArgumentsError: A symbol is unknown, inactive or of another type. The error names the first one.
    """
    required_type = CATALOG[task].asset_type
    by_symbol = {asset.symbol: asset for asset in known}
    if symbols is None:
        return [asset for asset in by_symbol.values() if asset.active and required_type in {None, asset.type}]
    selected: dict[str, Asset] = {}
    for index, symbol in enumerate(symbols):
        asset = by_symbol.get(symbol)
        field = f"symbols.{index}"
        if asset is None and symbol in unreadable:
            continue
        if asset is None:
            near = suggest_symbols(symbol, by_symbol)
            hint = "`financehub assets list --all` lists the known ones"
            hint = f"did you mean {' or '.join(near)}?" if near else hint
            raise InvalidArgumentsError(task, field, f"unknown symbol {symbol!r}; {hint}")
        if required_type not in {None, asset.type}:
            raise InvalidArgumentsError(
                task, field, f"{symbol} is a {asset.type} asset; this task takes {required_type}"
            )
        if not asset.active:
            place = "in the assets file" if asset.declared else "by adding it again with `financehub assets add`"
            raise InvalidArgumentsError(task, field, f"{symbol} is not active; activate it {place}")
        selected[symbol] = asset
    return list(selected.values())


def why_nothing_selected(task: str, known: Collection[Asset], unreadable: Sized = ()) -> str:
    """Return why a run without arguments has no assets, so that it is not mistaken for a run with nothing due.

    Args:
        task: Name of a task in the catalog.
        known: All assets, including inactive ones.
        unreadable: Symbols whose records cannot be read.
    """
    required_type = CATALOG[task].asset_type
    if not known and not unreadable:
        return "no asset is declared; declare some in the assets file or add them with `financehub assets add`"
    kind = f"{required_type} asset" if required_type else "asset"
    inactive = sum(not asset.active for asset in known)
    others = len(known) - inactive
    return f"no active {kind}; {others} assets of other types, {inactive} inactive, {len(unreadable)} unreadable"
