"""Weak entity tags (RFC 9110), which tell a client that nothing has changed since it asked."""

import hashlib
import re
from collections.abc import Collection

#: Keys whose values change with every request. Two answers that differ only in them have the same tag.
CHANGING = frozenset({"as_of", "age_seconds", "next_in_seconds"})
#: One entity tag in a header. A tag may contain commas, so the header cannot simply be split.
_TAG = re.compile(r'(?:W/)?("[^"]*")')


def ignored_keys(fields: Collection[str]) -> frozenset[str]:
    """Return the keys that do not count in the tag of an answer.

    Args:
        fields: The keys that the client asked for; empty for all. A changing key that it names counts, because such a
            client would otherwise never get another value of it.
    """
    return CHANGING.difference(fields)


def tag_of(content: bytes, ignored: frozenset[str] = frozenset()) -> str:
    """Return the weak tag of a document.

    Args:
        content: The document.
        ignored: Keys of a JSON document whose values do not count. Inside of strings, quotation marks are escaped, so
            what looks like such a key there counts.
    """
    if ignored:
        names = b"|".join(sorted(name.encode() for name in ignored))
        content = re.sub(rb'"(?:' + names + rb')":[^,}]*', b"", content)
    digest = hashlib.blake2b(content, digest_size=12).hexdigest()
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
