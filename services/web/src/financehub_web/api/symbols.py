"""Finds the asset that a client names, or says which symbols it may have meant."""

from http import HTTPStatus

from financehub_shared.core.models import Asset
from financehub_shared.core.symbols.spelling import suggest_symbols
from financehub_web.api.problems import ApiError
from financehub_web.reading.fleet import Fleet


def require_asset(fleet: Fleet, symbol: str) -> Asset:
    """Return the asset with a symbol, which the client may write in lower case.

    Raises:
        ApiError: The symbol is unknown. The error contains symbols that the client may have meant.
    """
    assets = fleet.assets().value
    asset = assets.get(symbol.upper())
    if asset is not None:
        return asset
    near = suggest_symbols(symbol, assets)
    hint = f"did you mean {' or '.join(near)}?" if near else "GET /api/v1/assets lists all symbols"
    raise ApiError(HTTPStatus.NOT_FOUND, "unknown-symbol", f"unknown symbol {symbol!r}; {hint}", near=near)
