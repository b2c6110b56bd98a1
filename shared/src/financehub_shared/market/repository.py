"""What the parts of `RedisStore` have in common: the client, bounded batches, one translation of errors."""

from collections.abc import Callable, Iterator, Sequence
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

import redis

from financehub_shared.core.errors import StoreUnavailableError

#: Commands or keys in one batch: long enough to be one packet train, short enough not to hold Redis up (< 5 ms).
BATCH = 500

P = ParamSpec("P")
R = TypeVar("R")
Part = TypeVar("Part", bound="RedisPart")
T = TypeVar("T")


class RedisPart:
    """Base of every part.

    Args:
        client: of the data's Redis, answering bytes.
    """

    def __init__(self, client: redis.Redis) -> None:
        # Any: redis-py types every reply as "sync or awaitable".
        self._redis: Any = client


def chunks(items: Sequence[T], size: int = BATCH) -> Iterator[Sequence[T]]:
    """Consecutive slices of at most `size`."""
    return (items[start : start + size] for start in range(0, len(items), size))


def translated(method: Callable[Concatenate[Part, P], R]) -> Callable[Concatenate[Part, P], R]:
    """Let a method raise `StoreUnavailableError`, the cause kept, for whatever Redis or the network did to it."""

    @wraps(method)
    def call(self: Part, /, *args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return method(self, *args, **kwargs)
        except redis.RedisError as error:
            problem = f"Redis did not carry out {method.__name__}: {type(error).__name__}: {error}"
            raise StoreUnavailableError(problem) from error

    return call
