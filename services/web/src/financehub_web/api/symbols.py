"""Finds the assets that a client names, or says which symbols it may have meant."""

from collections.abc import Collection, Sequence
from http import HTTPStatus
from typing import Any, Final

from financehub_shared.core.models import Asset
from financehub_shared.core.symbols.spelling import suggest_symbols
from financehub_shared.market.encoding.record_names import (
    asset_record,
    bars_record,
    indicator_record,
    quote_record,
    series_record,
)
from financehub_web.api.errors import ApiError
from financehub_web.reading.cache import Reading
from financehub_web.reading.fleet import Fleet

#: Each returns the name of a record of an asset. A warning about a damaged record begins with its name.
_RECORDS: Final = (asset_record, quote_record, bars_record, indicator_record, series_record)
#: Symbols that a warning names. Further ones are counted.
_MOST_NAMED = 20


def require_asset(fleet: Fleet, symbol: str) -> Asset:
    """Return the asset with a symbol, which the client may write in lower case.

    Raises:
        ApiError: The symbol is unknown. The error contains symbols that the client may have meant.
        StoreUnavailableError: Redis does not answer.
    """
    reading = fleet.assets()
    assets = reading.required()
    asset = assets.get(symbol.upper())
    if asset is not None:
        return asset
    _raise_if_unreadable(symbol.upper(), reading)
    near = suggest_symbols(symbol, assets)
    hint = f"did you mean {' or '.join(near)}?" if near else "GET /api/v1/assets lists all symbols"
    raise ApiError(HTTPStatus.NOT_FOUND, "unknown-symbol", f"unknown symbol {symbol[:200]!r}; {hint}", near=near)


def require_symbols(fleet: Fleet, symbols: Sequence[str]) -> list[str]:
    """Return the symbols of the assets that a client names, or of all active assets if it names none.

    Raises:
        ApiError: A symbol is unknown.
        StoreUnavailableError: Redis does not answer.
    """
    if symbols:
        return [require_asset(fleet, symbol).symbol for symbol in symbols]
    return [asset.symbol for asset in fleet.assets().required().values() if asset.active]


def no_data_yet(symbol: str, what: str, reading: Reading[Any]) -> ApiError:
    """Return the error for an asset that exists, but has no data of a kind.

    Args:
        symbol: The symbol of the asset.
        what: The kind of data.
        reading: The reading that does not contain the asset.
    """
    _raise_if_unreadable(symbol, reading)
    detail = f"{symbol} has no {what} yet; the next run of its task fetches or computes it"
    return ApiError(HTTPStatus.NOT_FOUND, "no-data-yet", detail)


def missing_warnings(wanted: Sequence[str], found: Collection[str], what: str) -> list[str]:
    """Return a warning that names the assets without data, or nothing if there are none."""
    missing = [symbol for symbol in wanted if symbol not in found]
    if not missing:
        return []
    further = f" and {len(missing) - _MOST_NAMED:,} more" if len(missing) > _MOST_NAMED else ""
    return [f"no {what} yet: {', '.join(missing[:_MOST_NAMED])}{further}"]


def _raise_if_unreadable(symbol: str, reading: Reading[Any]) -> None:
    """Raise an error that says why the record of an asset cannot be read, if it cannot."""
    names = tuple(f"{record(symbol)}: " for record in _RECORDS)
    for warning in reading.warnings:
        if warning.startswith(names):
            raise ApiError(HTTPStatus.NOT_FOUND, "unreadable-record", warning)
