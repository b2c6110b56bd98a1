"""Estimates how much memory a reading takes."""

import dataclasses
import sys
from collections import deque
from collections.abc import Iterable, Mapping
from typing import Any


def weight_of(value: Any, most: int) -> int:
    """Return the bytes that a value takes with everything in it. What several parts share counts for each of them.

    Args:
        value: Records of FinanceHub: dataclasses, tuples, mappings and sequences of texts, numbers and arrays.
        most: Above this number of bytes, the rest is not counted.
    """
    total = 0
    rest: deque[Any] = deque([value])
    while rest and total <= most:
        each = rest.pop()
        total += sys.getsizeof(each)
        rest.extend(_parts(each))
    return total


def _parts(value: Any) -> Iterable[Any]:
    if isinstance(value, Mapping):
        return [part for item in value.items() for part in item]
    if isinstance(value, list | tuple | set | frozenset):
        return value
    if dataclasses.is_dataclass(value):
        return [getattr(value, each.name) for each in dataclasses.fields(value)]
    return ()
