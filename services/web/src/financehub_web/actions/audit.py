"""The audit log: who did what with the console, in a stream of Redis and in the log of the process."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

import redis
import structlog

from financehub_shared.core.damage import DAMAGED
from financehub_shared.core.text import dump_json, storable
from financehub_shared.redis import keys
from financehub_shared.redis.key_types import readable, repaired
from financehub_shared.redis.text import decode, decode_hash

log = structlog.get_logger(__name__)

#: Number of entries that are kept. An entry has about 300 bytes, so all of them take 3 MB.
KEPT = 10_000
#: Largest size of the details of an entry as JSON.
DETAIL_BYTES = 1_000
#: Largest size of the text of an entry, in characters.
TEXT_CHARACTERS = 1_000
#: (characters of a value, values of a list) that are kept, from the most to the least.
_CUTS = ((200, 20), (80, 5), (20, 3), (0, 0))
_TYPES = {keys.AUDIT: "stream"}


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One action.

    Args:
        id: Id of the entry in the stream, which begins with its time in Unix ms.
        user: Name of the user.
        action: Name of the action, such as `trigger`.
        text: What was done, or why it was refused, in one sentence.
        succeeded: Whether it was done.
        details: The values of the form.
    """

    id: str
    user: str
    action: str
    text: str
    succeeded: bool = True
    details: Mapping[str, object] = field(default_factory=dict)

    @property
    def at(self) -> float:
        """The time of the action in Unix seconds."""
        return int(self.id.partition("-")[0]) / 1_000


class Audit:
    """Writes and reads the audit log.

    Args:
        client: Client for the queue Redis.
        reader: Client with which pages read it, with a shorter timeout; None for the same client.
    """

    def __init__(self, client: "redis.Redis", reader: "redis.Redis | None" = None) -> None:
        self._client = client
        self._reader = reader or client

    def record(
        self, user: str, action: str, text: str, *, succeeded: bool = True, details: Mapping[str, object] | None = None
    ) -> AuditEntry:
        """Write an entry to the log of the process and to Redis, and return it with its id.

        Raises:
            redis.RedisError: Redis did not take the entry. The log of the process has it.
        """
        given, text = _shortened(details or {}), _cut_text(text, TEXT_CHARACTERS)
        log.info("console_action", user=user, action=action, text=text, succeeded=succeeded, details=given)
        fields = {
            "user": storable(user),
            "action": action,
            "text": storable(text),
            "succeeded": str(int(succeeded)),
            "details": dump_json(given),
        }
        id = repaired(
            self._client,
            lambda: _TYPES,
            lambda: self._client.xadd(keys.AUDIT, dict(fields), maxlen=KEPT, approximate=True),  # type: ignore[arg-type]
        )
        return AuditEntry(decode(id), user, action, text, succeeded, given)

    def newest(self, limit: int = 50) -> list[AuditEntry]:
        """Return the newest entries, newest first. Entries that cannot be read are left out.

        Raises:
            redis.RedisError: Redis did not answer.
        """
        return self._range("+", "-", limit)

    def find(self, id: str) -> AuditEntry | None:
        """Return one entry, or None if it does not exist.

        Raises:
            redis.RedisError: Redis did not answer.
        """
        milliseconds, _, number = id.partition("-")
        is_id = all(part.isascii() and part.isdigit() and len(part) < 20 for part in (milliseconds, number))
        return next(iter(self._range(id, id, 1)), None) if is_id else None

    def _range(self, last: str, first: str, limit: int) -> list[AuditEntry]:
        with self._reader.pipeline(transaction=False) as pipeline:
            pipeline.xrevrange(keys.AUDIT, last, first, count=limit)
            (entries,) = readable([keys.AUDIT], pipeline.execute(raise_on_error=False), [])
        found = []
        for id, raw in entries:
            fields = decode_hash(raw)
            if {"user", "action", "text"} <= fields.keys():
                details = _read_details(fields.get("details", ""))
                text, succeeded = fields["text"], fields.get("succeeded") == "1"
                found.append(AuditEntry(decode(id), fields["user"], fields["action"], text, succeeded, details))
        return found


def _shortened(details: Mapping[str, object]) -> dict[str, object]:
    """Return details that take at most about 1 kB, such as the first ids of a thousand."""
    given = dict(details)
    for characters, values in _CUTS:
        if len(dump_json(given).encode("utf-8", "replace")) <= DETAIL_BYTES:
            break
        given = {name: _cut(value, characters, values) for name, value in details.items()}
    return given


def _cut(value: object, characters: int, values: int) -> object:
    if isinstance(value, str):
        return _cut_text(value, characters)
    if isinstance(value, list) and len(value) > values:
        return [*(_cut(each, characters, 0) for each in value[:values]), f"and {len(value) - values:,} more"]
    return value


def _cut_text(text: str, characters: int) -> str:
    return text if len(text) <= characters else f"{text[:characters]}…"


def _read_details(text: str) -> Mapping[str, object]:
    try:
        details = json.loads(text)
    except DAMAGED:
        return {}
    return details if isinstance(details, dict) else {}
