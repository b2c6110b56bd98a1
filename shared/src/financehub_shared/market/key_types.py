"""Prevents errors in methods that read or write a key of another type, which contains no records.

Another program, or a mistake in `redis-cli`, can replace a hash of records with a string. The methods that read this
key then report it and find no records, and the methods that write it replace it.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

import redis

from financehub_shared.market.encoding.record_names import RecordName
from financehub_shared.market.repository import OTHER_TYPE, RedisRepository
from financehub_shared.redis.replies import is_wrong_type

#: Key → its type in Redis.
KeyTypes = Mapping[RecordName, bytes]

P = ParamSpec("P")
R = TypeVar("R")
Part = TypeVar("Part", bound=RedisRepository)
Method = Callable[Concatenate[Part, P], R]


def reads(types: KeyTypes, empty: Callable[[], Any]) -> Callable[[Method[Part, P, R]], Method[Part, P, R]]:
    """Decorate a method so that it reports a key of another type, also in `unreadable`, and returns `empty()`.

    Args:
        types: The keys that the method reads.
        empty: Returns the result if there are no records.
    """

    def decorate(method: Method[Part, P, R]) -> Method[Part, P, R]:
        @wraps(method)
        def call(self: Part, /, *args: P.args, **kwargs: P.kwargs) -> R:
            try:
                return method(self, *args, **kwargs)
            except redis.ResponseError as error:
                unreadable: Any = kwargs.get("unreadable")
                for name in _wrong_keys(self._redis, types, error):
                    self._note(name.key, name.corrupt(OTHER_TYPE), unreadable)
                nothing: R = empty()
                return nothing

        return call

    return decorate


def writes(types: KeyTypes) -> Callable[[Method[Part, P, R]], Method[Part, P, R]]:
    """Decorate a method so that it reports and deletes a key of another type, and writes again.

    Args:
        types: The keys that the method writes.
    """

    def decorate(method: Method[Part, P, R]) -> Method[Part, P, R]:
        @wraps(method)
        def call(self: Part, /, *args: P.args, **kwargs: P.kwargs) -> R:
            # the method may be called twice, but an iterator could be read only once
            repeatable: Any = [list(each) if isinstance(each, Iterator) else each for each in args]
            try:
                return method(self, *repeatable, **kwargs)
            except redis.ResponseError as error:
                for name in _wrong_keys(self._redis, types, error):
                    self._report(name.corrupt(OTHER_TYPE))
                    self._redis.unlink(name.key)
                return method(self, *repeatable, **kwargs)

        return call

    return decorate


def _wrong_keys(client: Any, types: KeyTypes, error: redis.ResponseError) -> list[RecordName]:
    """Return the keys of another type. If there are none, raise the error, which has another cause."""
    wrong = []
    if is_wrong_type(error):
        wrong = [name for name, type in types.items() if client.type(name.key) not in {type, b"none"}]
    if not wrong:
        raise error
    return wrong
