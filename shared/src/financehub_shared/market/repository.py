"""Provides what the repositories of `RedisStore` share: the client, batches, and the handling of errors."""

from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

import redis

from financehub_shared.core.errors import CorruptDataError, StoreUnavailableError
from financehub_shared.market.encoding.record_names import RecordName
from financehub_shared.market.unreadable import ReportUnreadable, Unreadable, UnreadableLog
from financehub_shared.redis.replies import is_wrong_type, raise_other_errors

#: Commands or keys per batch: large enough to save round trips, small enough to occupy Redis for less than 5 ms.
BATCH = 500

OTHER_TYPE = "is a key of another type"

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")
Part = TypeVar("Part", bound="RedisRepository")


class RedisRepository:
    """Base class of the repositories.

    Args:
        client: Connection to the data Redis; replies are bytes.
        report: Receives each record that cannot be read. By default, it is logged.
    """

    def __init__(self, client: redis.Redis, report: ReportUnreadable | None = None) -> None:
        # Any, because redis-py types every reply as "sync or awaitable"
        self._redis: Any = client
        self._report: ReportUnreadable = report or UnreadableLog()

    def _decode_each(
        self,
        replies: Mapping[str, Any],
        decode: Callable[[str, Any], T],
        name: Callable[[str], RecordName],
        unreadable: Unreadable | None = None,
    ) -> dict[str, T]:
        """Decode the records that can be read, and report the others.

        Args:
            replies: Symbol or id → what Redis stores, or Redis's refusal to read the key.
            decode: Decodes one record.
            name: Names one record.
            unreadable: Receives the errors.
        """
        found: dict[str, T] = {}
        for key, reply in replies.items():
            try:
                if isinstance(reply, Exception):
                    check_reply(name(key), reply)
                found[key] = decode(key, reply)
            except CorruptDataError as error:
                self._note(key, error, unreadable)
        return found

    def _note(self, key: str, error: CorruptDataError, unreadable: Unreadable | None) -> None:
        self._report(error)
        if unreadable is not None:
            unreadable[key] = error

    def _get_each(self, names: Sequence[str]) -> list[Any]:
        """Return the value of each key. The reply for a key that is not a string is Redis's error.

        MGET would treat a key of another type as absent.
        """
        pipe = self._redis.pipeline(transaction=False)
        for name in names:
            pipe.get(name)
        return list(pipe.execute(raise_on_error=False))


def check_reply(name: RecordName, reply: object) -> None:
    """Raise the error that Redis replied instead of a value, if it did.

    Raises:
        CorruptDataError: The key has another type than the record.
        redis.RedisError: Redis refused the command for another reason.
    """
    raise_other_errors([reply])
    if is_wrong_type(reply):
        raise name.corrupt(OTHER_TYPE)


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
