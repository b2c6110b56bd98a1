"""Distinguishes the replies of a pipeline that was executed without raising the first error, and malformed ones."""

from collections.abc import Iterable

import redis

#: What redis-py raises while it reads a well-formed reply that the command cannot have.
MALFORMED_REPLY = (AttributeError, IndexError, KeyError, TypeError, ValueError)


def is_wrong_type(reply: object) -> bool:
    """Whether Redis refused a command because its key has another type."""
    # in the error of a pipeline or a script, other text precedes Redis's own
    return isinstance(reply, redis.ResponseError) and "WRONGTYPE Operation against a key" in str(reply)


def raise_other_errors(replies: Iterable[object]) -> None:
    """Raise the first error that is not about the type of a key.

    Raises:
        redis.RedisError: Redis refused a command for another reason.
    """
    for reply in replies:
        if isinstance(reply, Exception) and not is_wrong_type(reply):
            raise reply
