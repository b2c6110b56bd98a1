"""Reads which schedules are paused, and tells the engine.

Redis has the pauses, so that they apply to every scheduler and survive a restart. The script that enqueues runs checks
them itself, so no due run is enqueued after a pause, however late this component reads it.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import structlog
from redis.asyncio import Redis

from financehub_scheduler.core.engine import Engine
from financehub_scheduler.core.state import in_slices
from financehub_shared.core.clock import Clock
from financehub_shared.redis import keys
from financehub_shared.redis.key_types import arepaired
from financehub_shared.redis.schedule_keys import schedule_types
from financehub_shared.redis.schedule_record import ScheduleField
from financehub_shared.redis.text import decode, read_time
from financehub_shared.schedules import Pause

log = structlog.get_logger(__name__)

INTERVAL_SECONDS = 1.0


class Pauses:
    """Compares the pauses in Redis with those that the engine knows.

    Args:
        client: The queue Redis.
        engine: Plans the schedules, and does not plan paused ones.
        clock: The clock.
    """

    def __init__(self, client: "Redis", engine: Engine, clock: Clock) -> None:
        self._client = client
        self._engine = engine
        self._clock = clock
        #: Entry → pause, as they were last read, because they rarely change.
        self._parsed: Mapping[bytes, Pause] = {}

    async def step(self) -> None:
        """Read the pauses, and apply what has changed.

        Raises:
            redis.RedisError: Redis is unavailable; a later step reads them.
        """
        read = partial(self._client.hgetall, keys.SCHEDULES_PAUSED)
        raw: Mapping[bytes, bytes] = await arepaired(self._client, schedule_types, read)
        self._parsed = {entry: self._parsed.get(entry) or Pause.from_json(entry) for entry in raw.values()}
        paused = {decode(uid): self._parsed[entry] for uid, entry in raw.items()}
        for uid, pause in paused.items():
            if (state := self._engine.states.get(uid)) and pause != state.paused:
                log.info("schedule_paused", schedule=state.schedule.name, by=pause.by, reason=str(pause))
                self._engine.set_pause(uid, pause)
        resumed: list[str] = []
        async for states in in_slices(self._engine.states):
            resumed += [uid for state in states if state.paused and (uid := state.schedule.uid) not in paused]
        if resumed:
            await self._resume(resumed)

    async def _resume(self, uids: Sequence[str]) -> None:
        """Resume schedules that have no entry any more, or restore their entries if Redis has lost its data."""
        records = await arepaired(self._client, partial(schedule_types, uids), partial(self._read_records, uids))
        for uid, (fingerprint, changed_at) in zip(uids, records, strict=True):
            state = self._engine.states.get(uid)
            if state is None or state.paused is None:
                continue
            if fingerprint is None and not state.paused.problem:
                log.warning("schedule_pause_restored", schedule=state.schedule.name)
                await self._client.hsetnx(keys.SCHEDULES_PAUSED, uid, state.paused.to_json())
                continue
            log.info("schedule_resumed", schedule=state.schedule.name)
            self._engine.set_pause(uid, None, read_time(decode(changed_at or b"")) or self._clock.now())

    async def _read_records(self, uids: Sequence[str]) -> list[Any]:
        # a pipeline is empty after its execution, and a repetition needs a new one
        async with self._client.pipeline(transaction=False) as pipeline:
            for uid in uids:
                pipeline.hmget(keys.schedule(uid), ScheduleField.FINGERPRINT, ScheduleField.CHANGED_AT)
            return list(await pipeline.execute())
