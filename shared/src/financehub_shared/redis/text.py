"""Decodes Redis replies from bytes to strings.

`decode(value)` decodes one string, `decode_hash(raw)` an HGETALL reply and `decode_fields(names, values)` an HMGET
reply. Bytes that are not UTF-8 are replaced, so a damaged value never raises an error here.
"""

from collections.abc import Mapping, Sequence
from typing import Any


def decode(value: object) -> str:
    """Return a reply as a string. A reply that is already a string or a number is converted with `str`."""
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


def decode_hash(raw: Mapping[Any, Any]) -> dict[str, str]:
    """Return an HGETALL reply with names and values as strings."""
    return {decode(name): decode(value) for name, value in raw.items()}


def decode_fields(names: Sequence[str], values: Sequence[bytes | None]) -> dict[str, str]:
    """Return the existing fields from an HMGET reply.

    Args:
        names: The fields that were requested.
        values: The reply, one value for each name. A missing field is None and is left out.
    """
    return {name: decode(value) for name, value in zip(names, values, strict=True) if value is not None}
