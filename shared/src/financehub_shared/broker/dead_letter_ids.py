"""The ids of dead letters in Redis, which need not be UTF-8, and their forms for users."""

import re

#: A byte that `escaped_text` has escaped.
_ESCAPED_BYTE = re.compile(rb"\\x([0-9a-f]{2})")


def stored_ids(id: str) -> list[bytes]:
    """Return the ids in Redis that an escaped id may stand for."""
    literal = id.encode(errors="surrogateescape")
    escaped = _ESCAPED_BYTE.sub(lambda match: bytes([int(match[1], 16)]), literal)
    return list(dict.fromkeys((literal, escaped)))
