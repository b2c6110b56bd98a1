"""Divides a list into pages.

The token of the next page names the last record of this one. Therefore no record is repeated or left out because others
are added or removed meanwhile. A record whose own key changes meanwhile, such as a price by which a list is sorted, may
be on two pages or on none. One total order, `rank`, sorts the records and finds the place of a token among them.
"""

import base64
import binascii
import json
from collections.abc import Callable, Sequence
from functools import total_ordering
from http import HTTPStatus
from typing import Any, TypeVar

from financehub_shared.redis.text import id_bytes
from financehub_web.api.errors import ApiError

T = TypeVar("T")
#: Largest integer of the key of a record. Larger ones may not be a number with floating point.
_LARGEST_INTEGER = 2**63
#: The parts of the key of a record: texts, numbers, booleans or None.
Key = tuple[Any, ...]


@total_ordering
class _Descending:
    """A text that is ordered from Z to A."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Descending) and self._text == other._text

    def __lt__(self, other: "_Descending") -> bool:
        return self._text > other._text

    __hash__ = None  # type: ignore[assignment]  # it is only compared


def rank(key: Key, *, descending: bool) -> tuple[tuple[int, Any], ...]:
    """Return the place of a key in the order of a list, which can be compared with every other place.

    Numbers come first, then texts. What has no value comes last in both directions.
    """
    return tuple(_rank_of_part(part, descending=descending) for part in key)


def _rank_of_part(part: Any, *, descending: bool) -> tuple[int, Any]:
    if part is None or part != part:  # noqa: PLR0124 — only NaN differs from itself
        return (2, 0)
    if isinstance(part, str):
        return (1, _Descending(part) if descending else part)
    return (0, -part if descending else part)


def page_of(
    records: Sequence[T], key: Callable[[T], Key], *, limit: int, token: str = "", descending: bool = False
) -> tuple[list[T], str | None]:
    """Return one page, and the token of the next one, or None at the end.

    Args:
        records: All records in any order.
        key: Returns the key of a record. Records with equal keys stay in the given order, and none is lost.
        limit: Largest number of records on the page.
        token: The token of the page; empty for the first one.
        descending: Whether the largest key comes first.

    Raises:
        ApiError: The token is not one that this function returned.
    """
    keys = _numbered([key(record) for record in records])
    ranked = sorted(
        ((rank(each, descending=descending), each, record) for each, record in zip(keys, records, strict=True)),
        key=lambda row: row[0],
    )
    start = 0
    if token:
        last = rank(read_token(token), descending=descending)
        start = next((place for place, row in enumerate(ranked) if row[0] > last), len(ranked))
    page = ranked[start : start + limit]
    has_more = start + limit < len(ranked)
    return [record for _, _, record in page], make_token(page[-1][1]) if has_more and page else None


def _numbered(keys: list[Key]) -> list[Key]:
    """Return the keys, where each further one with the place of an earlier one has a number as an additional part."""
    seen: dict[Any, int] = {}
    numbered = []
    for key in keys:
        place = rank(key, descending=False)  # NaN and None have the same place, and NaN does not equal itself
        count = seen.get(place, 0)
        seen[place] = count + 1
        numbered.append((*key, count) if count else key)
    return numbered


def make_token(key: Key) -> str:
    """Return the token of the page after the record with this key."""
    return base64.urlsafe_b64encode(json.dumps(list(key)).encode()).decode().rstrip("=")


def read_token(token: str) -> Key:
    """Return the key in a token.

    Raises:
        ApiError: The token is damaged.
    """
    try:
        key = json.loads(base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True))
    except (ValueError, binascii.Error, RecursionError):
        key = None
    if not isinstance(key, list) or not key or not all(map(_is_part, key)):
        raise damaged_token()
    return tuple(key)


def _is_part(part: object) -> bool:
    """Whether a part of a token can be in the key of a record, and can therefore be sorted, and sent to Redis."""
    if isinstance(part, str):
        return _is_id(part)
    if isinstance(part, int):
        return abs(part) <= _LARGEST_INTEGER
    return part is None or isinstance(part, float)


def _is_id(text: str) -> bool:
    """Whether a text is one that Redis may have stored. Bytes that are not UTF-8 are escaped in it."""
    try:
        id_bytes(text)
    except UnicodeEncodeError:
        return False
    return True


def damaged_token() -> ApiError:
    """Return the error for a token that this API did not return."""
    detail = "page_token: it is damaged; use the next_page_token of the previous page unchanged"
    return ApiError(HTTPStatus.BAD_REQUEST, "invalid-page-token", detail)
