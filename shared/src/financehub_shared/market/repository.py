"""Provides what the repositories of `RedisStore` share: the client, bounded batches and error translation."""

from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

import redis

from financehub_shared.core.errors import StoreUnavailableError

#: Commands or keys per batch: large enough to save round trips, small enough to occupy Redis for less than 5 ms.
BATCH = 500

P = ParamSpec("P")
R = TypeVar("R")
Part = TypeVar("Part", bound="RedisRepository")


class RedisRepository:
    """Base class of the repositories.

    Args:
        client: Connection to the data Redis; replies are bytes.
    """

    def __init__(self, client: redis.Redis) -> None:
        # Any, because redis-py types every reply as "sync or awaitable"
        self._redis: Any = client


def translate_errors(method: Callable[Concatenate[Part, P], R]) -> Callable[Concatenate[Part, P], R]:
    """Decorate a method to raise `StoreUnavailableError`, with its cause, for every Redis or network error."""

    @wraps(method)
    def call(self: Part, /, *args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return method(self, *args, **kwargs)
        except redis.RedisError as error:
            problem = f"Redis command failed in {method.__name__}: {type(error).__name__}: {error}"
            raise StoreUnavailableError(problem) from error

    return call
