"""ETag and Last-Modified of what was last read, shared by all pods through Redis (RFC 9110, 13)."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Protocol

import redis.asyncio
import structlog
from redis.exceptions import RedisError

from financehub_shared.providers.transport.loop_local import PerLoop
from financehub_shared.redis import keys

log = structlog.get_logger(__name__)

#: A week without a full answer would hide that a feed has died, so the validators are forgotten by then.
KEPT_SECONDS = 7 * 86_400
#: Validators of an upstream that writes novels into its headers are not kept.
LONGEST = 1_000


@dataclass(frozen=True, slots=True)
class Validators:
    """What a server gave to ask 'has it changed?' with; empty where it gave none."""

    etag: str = ""
    last_modified: str = ""

    @classmethod
    def of(cls, headers: Mapping[str, str]) -> "Validators":
        """From response headers with lower-case names."""
        return cls(headers.get("etag", "")[:LONGEST], headers.get("last-modified", "")[:LONGEST])

    def headers(self) -> dict[str, str]:
        """The request headers that ask."""
        asked = {"if-none-match": self.etag, "if-modified-since": self.last_modified}
        return {name: value for name, value in asked.items() if value}


class ValidatorStore(Protocol):
    """Where validators are kept."""

    async def get(self, url: str) -> Validators:
        """The validators of `url`; empty ones when none are known."""
        ...

    async def put(self, url: str, validators: Validators) -> None:
        """Keep them; call it once what was read is stored, or it is lost to the next reader."""
        ...


class MemoryValidators:
    """The in-memory peer."""

    def __init__(self) -> None:
        self._kept: dict[str, Validators] = {}

    async def get(self, url: str) -> Validators:
        return self._kept.get(url, Validators())

    async def put(self, url: str, validators: Validators) -> None:
        self._kept[url] = validators


class RedisValidators:
    """Validators in Redis; while it is away everything is read in full, which is right and only costs more.

    Args:
        client: the Redis of the data, of the running loop.
    """

    def __init__(self, client: PerLoop[redis.asyncio.Redis]) -> None:
        self._client = client

    async def get(self, url: str) -> Validators:
        try:
            kept = await self._client.get().get(_key(url))
            return Validators(**json.loads(kept)) if kept else Validators()
        except (RedisError, OSError, ValueError, TypeError) as error:
            log.warning("validators_unread", error=type(error).__name__)
            return Validators()

    async def put(self, url: str, validators: Validators) -> None:
        try:
            await self._client.get().set(_key(url), json.dumps(asdict(validators)), ex=KEPT_SECONDS)
        except (RedisError, OSError) as error:
            log.warning("validators_unkept", error=type(error).__name__)


def _key(url: str) -> str:
    # The URL of a feed may hold a subscriber's token.
    return keys.validators(hashlib.sha256(url.encode()).hexdigest()[:32])
