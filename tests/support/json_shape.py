"""Computes the shape of a JSON document: every field path with its JSON type."""

from collections.abc import Iterator

_NAMES = {bool: "boolean", int: "number", float: "number", str: "string", type(None): "null"}


def _walk(value: object, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        yield path or "/", "object"
        for key, inner in value.items():
            # Yahoo uses event timestamps as keys.
            yield from _walk(inner, f"{path}/{'*' if key.isdigit() else key}")
    elif isinstance(value, list):
        yield path or "/", "array"
        # A list of mixed types is a record, and a list of one type is a column.
        record = len({_NAMES.get(type(inner), "container") for inner in value}) > 1
        for position, inner in enumerate(value):
            yield from _walk(inner, f"{path}/{position if record else '[]'}")
    else:
        yield path, _NAMES[type(value)]


def json_shape(document: object) -> set[tuple[str, str]]:
    """Return every path of a document with its JSON type.

    The elements of a list have the path `[]`, or their position in a list of mixed types.
    """
    return set(_walk(document, ""))
