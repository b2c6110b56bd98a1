"""Decodes Redis replies from bytes to strings.

`decode(value)` decodes one string, `decode_hash(raw)` an HGETALL reply and `decode_fields(names, values)` an HMGET
reply. Bytes that are not UTF-8 are replaced, so a damaged value never raises an error here. `read_number(text)` and
`read_count(text)` parse statistics and `read_time(text)` parses times; what is damaged counts as missing.
`id_text(raw)` and `id_bytes(text)` convert ids without loss, because a command must name exactly the id that Redis
stores.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

#: 9999-12-31T23:59:59Z in Unix seconds.
LATEST_TIME = 253_402_300_799
#: The numbers that clients and Lua scripts write. Valkey writes 1796004810.5 as 1.7960048105e+9.
_NUMBER = re.compile(r"-?\d{1,15}(?:\.\d{1,20})?(?:e[+-]?\d{1,2})?", re.ASCII)
_LARGEST_NUMBER = 1e15


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


def read_number(text: str | None) -> float | None:
    """Return a number, or None if it is missing or damaged."""
    if not text or not _NUMBER.fullmatch(text):
        return None
    number = float(text)
    return number if abs(number) < _LARGEST_NUMBER else None


def read_count(text: str | None) -> int:
    """Return a count, or 0 if it is missing, damaged or negative."""
    return max(0, int(read_number(text) or 0))


def read_time(text: str | None, *, unit: int = 1) -> float | None:
    """Return a time in Unix seconds, or None if it is missing, damaged or beyond the last year that Python has.

    Args:
        text: The stored number.
        unit: Number of units per second: 1,000 for stored milliseconds.
    """
    number = read_number(text)
    if number is None or not -1 <= number / unit <= LATEST_TIME:
        return None
    return number / unit


def id_text(raw: bytes) -> str:
    """Return an id as a string from which `id_bytes` restores the bytes, even if they are not UTF-8."""
    return raw.decode(errors="surrogateescape")


def id_bytes(text: str) -> bytes:
    """Return the bytes of an id from `id_text`."""
    return text.encode(errors="surrogateescape")


def escaped_text(raw: bytes) -> str:
    r"""Return any bytes for people and JSON: those that are not UTF-8 are shown as `\\xff`."""
    return raw.decode(errors="backslashreplace")
