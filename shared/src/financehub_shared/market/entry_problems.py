"""Describes the problems of an asset that a user wrote: what is wrong, and how to fix it."""

import difflib
from collections.abc import Iterable, Mapping
from typing import get_args

from pydantic_core import ErrorDetails

from financehub_shared.core.kinds import AssetKind, AssetType
from financehub_shared.core.provider_specs import AssetProviderName

#: Other names of kinds → the kind.
_KIND_NAMES = {"etf": "fund", "stock": "equity", "share": "equity", "forex": "fx", "currency": "fx", "crypto": "coin"}
#: Pydantic's type of error → how to fix it.
_REMEDIES: Mapping[str, str] = {
    "bool_parsing": "write true or false",
    "dict_type": "write a mapping, such as {kraken: XBTUSD}",
    "string_type": "write a single text",
    "string_too_long": "write at most 100 characters",
}


def _allowed(value: object, names: Iterable[str]) -> str:
    known = list(map(str, names))
    near = difflib.get_close_matches(str(value), known, n=1)
    return f"did you mean {near[0]!r}?" if near else f"allowed values: {', '.join(known)}"


def _type_of_kind(name: str) -> str:
    """Return the fix if the name of a kind was written as the type, otherwise an empty text."""
    kind = _KIND_NAMES.get(name.lower(), name.lower())
    if name.lower() in list(AssetType):
        return f"did you mean {name.lower()!r}?"
    return f"write the type {AssetKind(kind).type} and the kind {kind}" if kind in list(AssetKind) else ""


def describe_problem(error: ErrorDetails, fields: Iterable[str]) -> str:
    """Return what is wrong with a field, and how to fix it.

    Args:
        error: The error of Pydantic.
        fields: The names of all fields.
    """
    field, value = str(error["loc"][0]) if error["loc"] else "", error["input"]
    text = f"{'.'.join(map(str, error['loc']))} {value!r}: {_REMEDIES.get(error['type'], error['msg'])}"
    match error["type"], error["loc"]:
        case "missing", _:
            text = f"{field} is missing"
        case "extra_forbidden", _:
            text = f"unknown field {field!r}; {_allowed(field, fields)}"
        case "enum", ("type",):
            text = f"unknown type {value!r}; {_type_of_kind(str(value)) or _allowed(value, AssetType)}"
        case "enum", ("kind",):
            text = f"unknown kind {value!r}; {_allowed(_KIND_NAMES.get(str(value).lower(), value), AssetKind)}"
        case "literal_error", ("providers", name, "[key]"):
            text = f"unknown provider {name!r}; {_allowed(name, get_args(AssetProviderName))}"
        case "string_pattern_mismatch", ("providers", name):
            text = f"symbol {value!r} of {name} is invalid: write at most 60 characters without spaces and commas"
        case "list_type", _:
            text = f"{field} {value!r}: write a list, such as [{value}]"
        case "value_error", _:
            text = error["msg"].removeprefix("Value error, ")
    return text
