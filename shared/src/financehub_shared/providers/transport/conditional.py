"""Stores the ETag and Last-Modified headers of the last responses, shared by the fleet in Redis (RFC 9110, 13)."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Protocol

import redis.asyncio
from redis.exceptions import RedisError

from financehub_shared.core.durations import DAY_SECONDS
from financehub_shared.core.log import get_logger
from financehub_shared.core.loop_local import LoopLocal
from financehub_shared.redis import keys

log = get_logger(__name__)

#: Validators expire after a week, because a week without a full response would hide that a feed is dead.
TTL_SECONDS = 7 * DAY_SECONDS
#: Longer headers are cut, so that an upstream cannot fill Redis. A cut validator never matches, so the document is
#: only read in full again.
MAX_CHARACTERS = 1_000


@dataclass(frozen=True, slots=True)
class CacheValidators:
    """The headers by which a server recognizes whether a document has changed. Empty if the server sent none."""

    etag: str = ""
    last_modified: str = ""

    @classmethod
    def of(cls, headers: Mapping[str, str]) -> "CacheValidators":
        """Return the validators of response headers with lower-case names."""
        return cls(headers.get("etag", "")[:MAX_CHARACTERS], headers.get("last-modified", "")[:MAX_CHARACTERS])

    def headers(self) -> dict[str, str]:
        """Return the headers of a conditional request, without values that a request cannot carry."""
        conditions = {"if-none-match": self.etag, "if-modified-since": self.last_modified}
        return {name: value for name, value in conditions.items() if value and value.isascii() and value.isprintable()}


class CacheValidatorStore(Protocol):
    """A store of validators by URL."""

    async def get(self, url: str) -> CacheValidators:
        """Return the validators of `url`, which are empty if none are known."""
        ...

    async def put(self, url: str, validators: CacheValidators) -> None:
        """Store validators. Call it only after storing the document, or no later reader would receive the document."""
        ...


class MemoryCacheValidators:
    """Validators in the memory of this process."""

    def __init__(self) -> None:
        self._validators: dict[str, CacheValidators] = {}

    async def get(self, url: str) -> CacheValidators:
        return self._validators.get(url, CacheValidators())

    async def put(self, url: str, validators: CacheValidators) -> None:
        self._validators[url] = validators


class RedisCacheValidators:
    """Validators in Redis. While Redis is unavailable, documents are read in full, which is correct but costs more.

    Args:
        client: Client of the data Redis.
    """

    def __init__(self, client: LoopLocal[redis.asyncio.Redis]) -> None:
        self._client = client

    async def get(self, url: str) -> CacheValidators:
        try:
            stored = await self._client.get().get(_key(url))
            return _decode(stored) if stored else CacheValidators()
        except (RedisError, OSError, ValueError, TypeError, RecursionError) as error:
            log.warning("validator_read_failed", error=type(error).__name__)
            return CacheValidators()

    async def put(self, url: str, validators: CacheValidators) -> None:
        try:
            await self._client.get().set(_key(url), json.dumps(asdict(validators)), ex=TTL_SECONDS)
        except (RedisError, OSError) as error:
            log.warning("validator_write_failed", error=type(error).__name__)


def _decode(stored: bytes | str) -> CacheValidators:
    """Decode stored validators. Fields that a newer release may have added are ignored.

    Raises:
        ValueError, TypeError: They are damaged. The document is then read in full, which replaces them.
    """
    fields = json.loads(stored)
    if not isinstance(fields, dict):
        raise TypeError("not a JSON object")
    etag, last_modified = fields.get("etag", ""), fields.get("last_modified", "")
    if not isinstance(etag, str) or not isinstance(last_modified, str):
        raise TypeError("not the validators of a document")
    return CacheValidators(etag, last_modified)


def _key(url: str) -> str:
    # The URL of a feed may contain a subscriber's token.
    return keys.validators(hashlib.sha256(url.encode()).hexdigest()[:32])
