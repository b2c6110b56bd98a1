"""Which assets a task works on: the active ones of its type, or those it was narrowed to."""

from collections.abc import Iterable, Sequence

from financehub_shared.core.catalog import CATALOG
from financehub_shared.core.errors import InvalidArgumentsError
from financehub_shared.core.models import Asset


def select_assets(task: str, symbols: Sequence[str] | None, known: Iterable[Asset]) -> list[Asset]:
    """Choose the assets of one run; CLI and scheduler call it too, so that a wrong symbol never reaches a queue.

    Args:
        task: a catalogue task; its `asset_type` decides which assets it takes (None: all types).
        symbols: canonical symbols the run is narrowed to; None: every active asset of the type.
        known: all assets, inactive ones included.

    Raises:
        InvalidArgumentsError: naming the first symbol that is unknown, inactive or of another type.
    """
    wanted = CATALOG[task].asset_type
    by_symbol = {asset.symbol: asset for asset in known}
    if symbols is None:
        return [asset for asset in by_symbol.values() if asset.active and wanted in {None, asset.type}]
    chosen: dict[str, Asset] = {}
    for index, symbol in enumerate(symbols):
        asset = by_symbol.get(symbol)
        field = f"symbols.{index}"
        if asset is None:
            raise InvalidArgumentsError(task, field, f"unknown symbol {symbol!r}; `financehub assets list` shows all")
        if wanted not in {None, asset.type}:
            raise InvalidArgumentsError(task, field, f"{symbol} is a {asset.type} asset; this task takes {wanted}")
        if not asset.active:
            raise InvalidArgumentsError(task, field, f"{symbol} is not active; activate it in the assets file")
        chosen[symbol] = asset
    return list(chosen.values())
