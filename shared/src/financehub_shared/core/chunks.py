"""Splits a long series of items into batches of bounded size: `chunks(items, size)`."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar

T = TypeVar("T")


def chunks(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Yield consecutive lists of at most `size` items, in order.

    Args:
        items: Any iterable. It is read only as far as the caller requests chunks.
        size: Maximum length of a chunk, at least 1.
    """
    iterator = iter(items)
    while chunk := list(islice(iterator, size)):
        yield chunk
