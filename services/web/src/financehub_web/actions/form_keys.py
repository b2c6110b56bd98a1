"""The keys of forms: a form that is sent twice, such as by a double click, is executed once.

The page of an action contains a new key each time. It is kept in Redis, so that it counts in all replicas.
"""

import re
import secrets
from typing import Final

import redis
import structlog

from financehub_shared.core.durations import DAY_SECONDS
from financehub_shared.redis import keys

log = structlog.get_logger(__name__)

_KEY: Final = re.compile(r"[0-9a-f]{32}")


def new_form_key() -> str:
    """Return a key for one form."""
    return secrets.token_hex(16)


def is_form_key(text: str) -> bool:
    """Whether a text has the form of a key."""
    return bool(_KEY.fullmatch(text))


class FormKeys:
    """Remembers for a day which forms were sent.

    Args:
        client: Client for the queue Redis.
    """

    def __init__(self, client: "redis.Redis") -> None:
        self._client = client

    def take(self, key: str) -> bool:
        """Use a key, and return whether it was not used before.

        If Redis is full, the key counts as new: the action may be the purge that makes room.

        Args:
            key: The key of the form.

        Raises:
            redis.RedisError: Redis did not answer or refused the key for another reason.
        """
        try:
            return bool(self._client.set(keys.form(key), "1", nx=True, ex=DAY_SECONDS))
        except redis.OutOfMemoryError as error:
            log.warning("form_key_not_kept", reason=str(error))
            return True
