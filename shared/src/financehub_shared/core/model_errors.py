"""Describes the errors of pydantic's models in sentences for users: what was read, and what to write."""

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic_core import ErrorDetails

from financehub_shared.core.near_names import similar_names

#: Longest value that a message quotes.
_MAX_SHOWN = 60
#: Type of error → what to write.
_TYPES: Mapping[str, str] = {
    "string_type": "write text",
    "string_sub_type": "write text",
    "string_unicode": "write text",
    "int_type": "write a whole number without quotes",
    "int_parsing": "write a whole number without quotes",
    "int_parsing_size": "write a smaller number",
    "int_from_float": "write a whole number",
    "float_type": "write a number without quotes",
    "float_parsing": "write a number without quotes",
    "finite_number": "write a finite number",
    "bool_type": "write true or false without quotes",
    "bool_parsing": "write true or false without quotes",
    "list_type": "write a list, such as [first, second]",
    "tuple_type": "write a list, such as [first, second]",
    "dict_type": "write fields, each as `name: value`",
    "mapping_type": "write fields, each as `name: value`",
    "model_type": "write fields, each as `name: value`",
    "model_attributes_type": "write fields, each as `name: value`",
    "none_required": "remove it",
    "invalid_key": "write the name of each field as text",
}
_DATES = re.compile(r"(date|time|datetime|timezone|time_delta)_")


def show_value(value: Any) -> str:
    """Return a value as a message shows it: in the spelling of JSON, and at most 60 characters of it."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= _MAX_SHOWN else f"{text[: _MAX_SHOWN - 1]}…"


def describe_error(details: ErrorDetails, *, names: Iterable[str] = (), limits: tuple[Any, Any] = (None, None)) -> str:
    """Return what is wrong with one value and what to write.

    Args:
        details: One of the errors of a `ValidationError`.
        names: The fields that exist where an unknown one was written.
        limits: Smallest and largest number or length; None where there is no limit.
    """
    kind, value, context = details["type"], details["input"], details.get("ctx", {})
    match kind:
        case "value_error":
            text = details["msg"].removeprefix("Value error, ")
        case "missing":
            text = "is missing; add it"
        case "extra_forbidden":
            text = f"unknown field; {_allowed(str(details['loc'][-1]), list(names), 'it has no fields')}"
        case "too_short" | "too_long":
            text = f"has {len(value)} entries; write {_range(limits, context)}"
        case "string_too_short" | "string_too_long":
            text = f"has {len(value)} characters; write {_range(limits, context)}"
        case _:
            text = f"{show_value(value)} {_describe_value(kind, value, context, limits)}"
    return text


def _describe_value(kind: str, value: Any, context: Mapping[str, Any], limits: tuple[Any, Any]) -> str:
    if kind in {"enum", "literal_error"}:
        expected = re.findall(r"'([^']*)'", str(context.get("expected", "")))
        return f"is not allowed; {_allowed(str(value), expected, 'remove it')}"
    if kind in {"greater_than_equal", "less_than_equal", "greater_than", "less_than"}:
        size = "small" if kind.startswith("greater") else "large"
        return f"is too {size}; write a number {_range(limits, context)}"
    if kind == "string_pattern_mismatch":
        return f"is not a valid name; {_form(str(value), str(context.get('pattern', '')))}"
    if value is None:
        return "is not a value; write one, or remove the field"
    if _DATES.match(kind):
        return "is not a time that exists; write it like 2026-12-01T09:00:00Z"
    return f"is not allowed; {_TYPES.get(kind, 'see the documentation of the field')}"


def near_names(written: str, names: Iterable[str]) -> list[str]:
    """Return the names that a user may have meant. A name that only differs in case, `-` and `_` is the only one.

    Args:
        written: What the user wrote.
        names: All valid names.
    """
    known = list(names)
    same = [name for name in known if _fold(name) == _fold(written)]
    return same or similar_names(written, known)


def _fold(name: str) -> str:
    return re.sub("[-_ ]", "", name).casefold()


def _allowed(written: str, names: list[str], nothing: str) -> str:
    """Return what to write instead of a name: similar names, or all of them."""
    near = near_names(written, names)
    if near:
        return f"write {_or(near)}"
    return f"write one of {', '.join(names)}" if names else nothing


def _or(names: list[str]) -> str:
    return " or ".join(filter(None, [", ".join(names[:-1]), names[-1]]))


def _range(limits: tuple[Any, Any], context: Mapping[str, Any]) -> str:
    least, most = limits
    if least is None:
        least = context.get("ge", context.get("min_length"))
    if most is None:
        most = context.get("le", context.get("max_length"))
    if least is not None and most is not None:
        return f"from {least} to {most}"
    return f"at least {least}" if most is None else f"at most {most}"


def _form(written: str, pattern: str) -> str:
    if "A-Z" in pattern:
        return "write a letter first, followed by letters, digits, _, - and ."
    valid = re.sub("[^a-z0-9.-]+", "-", written.lower()).strip("-.")
    return f"use small letters, digits, - and ., such as {valid or 'fetch-news'}"
