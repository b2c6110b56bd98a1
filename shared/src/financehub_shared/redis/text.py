"""Decodes the replies of Redis, which arrive as bytes, to text.

`decode(value)` decodes one string, `decode_hash(raw)` the reply of HGETALL and `decode_fields(names, values)` the
reply of HMGET. Bytes that are not UTF-8 are replaced, so a damaged value never raises here.
"""

from collections.abc import Mapping, Sequence
from typing import Any


def decode(value: object) -> str:
    """Return a reply as text. A reply that is already text or a number is converted with `str`."""
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


def decode_hash(raw: Mapping[Any, Any]) -> dict[str, str]:
    """Return a hash, as HGETALL replies it, as text."""
    return {decode(name): decode(value) for name, value in raw.items()}


def decode_fields(names: Sequence[str], values: Sequence[bytes | None]) -> dict[str, str]:
    """Return the fields that exist in the reply of HMGET.

    Args:
        names: The fields that were requested.
        values: The reply, one value for each name. A missing field is None and is left out.
    """
    return {name: decode(value) for name, value in zip(names, values, strict=True) if value is not None}
