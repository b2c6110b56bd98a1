"""Weak entity tags (RFC 9110), which tell a client that nothing has changed since it asked."""

import hashlib
import re

#: Keys whose values change with every request. Two answers that differ only in them have the same tag.
CHANGING = frozenset({"as_of", "age_seconds", "next_in_seconds"})
_CHANGING_VALUES = re.compile(rb'"(?:' + b"|".join(sorted(name.encode() for name in CHANGING)) + rb')":[^,}]*')
#: One entity tag in a header. A tag may contain commas, so the header cannot simply be split.
_TAG = re.compile(r'(?:W/)?("[^"]*")')


def tag_of(json_body: bytes) -> str:
    """Return the weak tag of a JSON document without its changing values.

    Inside of strings, quotation marks are escaped, so what looks like a changing key there is part of the tag.
    """
    digest = hashlib.blake2b(_CHANGING_VALUES.sub(b"", json_body), digest_size=12).hexdigest()
    return f'W/"{digest}"'


def is_known(tag: str, if_none_match: str) -> bool:
    """Whether a client that sent this `If-None-Match` has the representation with a tag (weak comparison).

    Args:
        tag: The tag of the current representation.
        if_none_match: The header; empty if there is none.
    """
    if if_none_match.strip() == "*":
        return True
    return tag.removeprefix("W/") in _TAG.findall(if_none_match)
