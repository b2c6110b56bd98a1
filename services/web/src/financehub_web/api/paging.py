"""Divides a list into pages.

The token of the next page names the last record of this one. Therefore no record is repeated or left out because others
are added or removed meanwhile.
"""

import base64
import binascii
import json
from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import Any, TypeVar

from financehub_web.api.problems import ApiError

T = TypeVar("T")


def page_of(
    records: Sequence[T], key: Callable[[T], tuple[Any, ...]], *, limit: int, token: str
) -> tuple[list[T], str | None]:
    """Return one page, and the token of the next one, or None at the end.

    Args:
        records: All records in ascending order of their keys.
        key: Returns the unique key of a record, whose parts are texts, numbers, booleans or None.
        limit: Largest number of records on the page.
        token: The token of the page; empty for the first one.

    Raises:
        ApiError: The token is not one that this function returned.
    """
    start = 0
    if token:
        last = read_token(token)
        start = next((i for i, record in enumerate(records) if _order(key(record)) > _order(last)), len(records))
    page = list(records[start : start + limit])
    has_more = start + limit < len(records)
    return page, make_token(key(page[-1])) if has_more and page else None


def make_token(key: Sequence[Any]) -> str:
    """Return the token of the page after the record with this key."""
    return base64.urlsafe_b64encode(json.dumps(list(key)).encode()).decode().rstrip("=")


def read_token(token: str) -> tuple[Any, ...]:
    """Return the key in a token.

    Raises:
        ApiError: The token is damaged.
    """
    try:
        key = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
    except (ValueError, binascii.Error, RecursionError):
        key = None
    if not isinstance(key, list) or any(isinstance(part, list | dict) for part in key):
        detail = "page_token: it is damaged; use the next_page_token of the previous page unchanged"
        raise ApiError(HTTPStatus.BAD_REQUEST, "invalid-page-token", detail)
    return tuple(key)


def _order(key: Sequence[Any]) -> list[tuple[int, Any]]:
    """Return a key that can be compared with every other one: None first, then numbers, then texts."""
    return [(0, 0) if part is None else (2, part) if isinstance(part, str) else (1, part) for part in key]
