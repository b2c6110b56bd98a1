"""Reads the newest successes of predecessors from Redis."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from redis.asyncio import Redis

from financehub_scheduler.redis.lua_scripts import load_script
from financehub_shared.core.chunks import chunks
from financehub_shared.redis.key_types import arepaired
from financehub_shared.redis.schedule_keys import schedule_types
from financehub_shared.redis.schedule_record import DEACTIVATED, DELETED
from financehub_shared.redis.text import decode, read_time

#: Schedules per script, which takes Redis a few milliseconds.
_CHUNK = 500


@dataclass(frozen=True, slots=True)
class PredecessorRecord:
    """What Redis has about a predecessor.

    Args:
        is_refused: Whether its source currently refuses its spec, so that it does not run.
        suspended, paused: Whether it is suspended or paused.
        last_success_at: End of its newest successful run in Unix seconds; None if it has none, or if it is damaged.
        damage: The stored time if it is damaged; otherwise empty.
        spec: Its spec as JSON; empty if it was not read.
        claimed_at: Time at which a live scheduler last claimed it, Unix seconds; 0 if it was not read.
    """

    is_refused: bool = False
    suspended: bool = False
    paused: bool = False
    last_success_at: float | None = None
    damage: str = ""
    spec: str = ""
    claimed_at: float = 0.0


class PredecessorReader:
    """Reads predecessors, in one round trip per 500 of them.

    Args:
        client: The queue Redis.
    """

    def __init__(self, client: "Redis") -> None:
        self._client = client
        self._script = client.register_script(load_script("predecessors"))

    async def read(self, predecessors: Mapping[str, str]) -> dict[str, PredecessorRecord]:
        """Return the record of each registered predecessor by name.

        Args:
            predecessors: `namespace/name` of each predecessor → its uid if this scheduler runs it. If another scheduler
                runs it (empty), it is looked up by name, and its spec and its claim are read.

        Raises:
            redis.RedisError: Redis did not reply or returned an error.
        """
        found: dict[str, PredecessorRecord] = {}
        for entries in chunks(predecessors.items(), _CHUNK):
            call = partial(self._script, args=[json.dumps(entries)])
            rows = await arepaired(self._client, schedule_types, call)
            found |= {name: record for (name, _), row in zip(entries, rows, strict=True) if (record := _parse(row))}
        return found


def _parse(row: Sequence[Any]) -> PredecessorRecord | None:
    fingerprint, suspended, success, paused, spec, claimed_at = row
    if fingerprint is None or fingerprint == DELETED.encode():
        return None
    text = decode(success)
    at = read_time(text)
    return PredecessorRecord(
        is_refused=fingerprint == DEACTIVATED.encode(),
        suspended=suspended == b"1",
        paused=paused == 1,
        last_success_at=at,
        damage="" if at else text,
        spec=decode(spec),
        claimed_at=read_time(decode(claimed_at)) or 0.0,
    )
