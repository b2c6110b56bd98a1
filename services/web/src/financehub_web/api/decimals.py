"""Turns decimals, which views contain as strings, into JSON numbers for clients that ask for them."""

from collections.abc import Callable, Hashable, Mapping
from functools import cache
from typing import Annotated, Any, cast, get_args, get_origin

from typing_extensions import get_type_hints, is_typeddict

Convert = Callable[[Any], Any]


def with_numbers(record: Any, view: type[Any]) -> Any:
    """Return a view with JSON numbers instead of decimal strings, on all of its levels.

    Args:
        record: The view.
        view: Its class.
    """
    convert = _converter(cast("Hashable", view))
    return record if convert is None else convert(record)


@cache
def _converter(hint: Any) -> Convert | None:
    """Return the function that converts values of a type, or None if it contains no decimals."""
    if is_typeddict(hint):
        converters = {name: _converter(each) for name, each in get_type_hints(hint, include_extras=True).items()}
        return _record_converter({name: each for name, each in converters.items() if each is not None})
    if get_origin(hint) is Annotated and any(_is_decimal(part) for part in hint.__metadata__):
        return lambda value: None if value is None else float(value)
    inner = [found for each in get_args(hint) if (found := _converter(each)) is not None]
    if not inner:
        return None
    convert = inner[0]
    if get_origin(hint) is list:
        return lambda values: [convert(value) for value in values]
    return lambda value: None if value is None else convert(value)


def _record_converter(converters: Mapping[str, Convert]) -> Convert | None:
    if not converters:
        return None
    return lambda record: {
        name: converters[name](value) if name in converters else value for name, value in record.items()
    }


def _is_decimal(metadata: Any) -> bool:
    extra = getattr(metadata, "json_schema_extra", None)
    return isinstance(extra, dict) and extra.get("format") == "decimal"
