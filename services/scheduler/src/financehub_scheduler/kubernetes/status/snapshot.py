"""Reads everything in Redis that statuses show, for many schedules in few round trips."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

import structlog
from redis.asyncio import Redis

from financehub_scheduler.api.status import RECENT
from financehub_shared.core.chunks import chunks
from financehub_shared.core.damage import DAMAGED
from financehub_shared.monitor import RunRecord
from financehub_shared.redis import keys
from financehub_shared.redis.key_types import arepaired, readable
from financehub_shared.redis.run_record import RunField
from financehub_shared.redis.schedule_keys import schedule_types
from financehub_shared.redis.schedule_record import BackfillInfo, ScheduleField, ScheduleRecord
from financehub_shared.redis.text import decode, decode_fields, decode_hash, read_count
from financehub_shared.schedules.waiting import waiting_runs

log = structlog.get_logger(__name__)

T = TypeVar("T")

#: The schedule record fields that a status shows. The spec, which is much larger, is not needed.
_RECORD_FIELDS = (
    ScheduleField.UID,
    ScheduleField.RUNS,
    ScheduleField.TRIGGERED,
    ScheduleField.BACKFILLED,
    ScheduleField.MISSED,
    ScheduleField.SKIPPED_OVERLAP,
    ScheduleField.SKIPPED_BACKLOG,
    ScheduleField.SKIPPED_REFUSED,
    ScheduleField.LAST_SKIP_REASON,
    ScheduleField.LAST_SKIP_AT,
    ScheduleField.LAST_DUE_AT,
    ScheduleField.ENDED,
    ScheduleField.FAILURES,
    ScheduleField.LAST_RUN_ID,
    ScheduleField.LAST_RUN_OUTCOME,
    ScheduleField.LAST_RUN_AT,
    ScheduleField.LAST_RUN_DURATION,
    ScheduleField.LAST_RUN_ERROR,
    ScheduleField.LAST_SUCCESS_AT,
    ScheduleField.LAST_FAILURE_AT,
)
_RUN_FIELDS = (RunField.STATE, RunField.DUE_AT, RunField.FINISHED_AT, RunField.DURATION)


@dataclass(frozen=True, slots=True)
class ScheduleSnapshot:
    """Everything in Redis that a status shows about one schedule, read at the same time.

    Args:
        record: The schedule record.
        recent: Its newest runs, newest first.
        backfill: The backfill that its annotation requests; None if Redis does not know it.
        buffered: Number of its due runs that wait for the previous one.
        failures_in_row: Number of its runs that failed in a row, up to the newest.
    """

    record: ScheduleRecord = field(default_factory=ScheduleRecord)
    recent: Sequence[RunRecord] = ()
    backfill: BackfillInfo | None = None
    buffered: int = 0
    failures_in_row: int = 0


async def read_records(client: "Redis", uids: Sequence[str]) -> dict[str, ScheduleRecord]:
    """Return the records of the registered ones among some schedules, by uid.

    Raises:
        redis.RedisError: Redis is unavailable.
    """

    async def read() -> list[Any]:
        async with client.pipeline(transaction=False) as pipeline:
            for uid in uids:
                pipeline.hmget(keys.schedule(uid), _RECORD_FIELDS)
            return list(await pipeline.execute())

    rows = await arepaired(client, lambda: schedule_types(uids), read)
    return _parse_all({uid: partial(_record, row) for uid, row in zip(uids, rows, strict=True)})


async def read_snapshots(client: "Redis", backfills: Mapping[str, str]) -> dict[str, ScheduleSnapshot]:
    """Return the snapshots of the registered ones among some schedules, by uid, in two round trips.

    Args:
        client: The queue Redis.
        backfills: Uid of each schedule → id of the backfill that its annotation requests; empty if there is none.

    Raises:
        redis.RedisError: Redis is unavailable.
    """

    async def read() -> list[Any]:
        async with client.pipeline(transaction=False) as pipeline:
            for uid, backfill in backfills.items():
                pipeline.hmget(keys.schedule(uid), _RECORD_FIELDS)
                pipeline.lrange(keys.schedule_recent(uid), 0, RECENT - 1)
                pipeline.hgetall(keys.backfill(backfill))
                pipeline.hexists(keys.SCHEDULES_BUFFERED, uid)
                pipeline.llen(keys.schedule_buffered(uid))
                pipeline.hget(keys.SCHEDULES_FAILING, uid)
            return list(await pipeline.execute())

    replies = await arepaired(client, lambda: schedule_types(backfills, backfills=backfills.values()), read)
    rows = list(chunks(replies, 6))
    recent_ids = [[decode(id) for id in row[1]] for row in rows]
    ids = [id for recent in recent_ids for id in recent]
    async with client.pipeline(transaction=False) as pipeline:
        for id in ids:
            pipeline.hmget(keys.run(id), _RUN_FIELDS)
        replies = await pipeline.execute(raise_on_error=False)
        runs = dict(zip(ids, readable(map(keys.run, ids), replies, [None] * len(_RUN_FIELDS)), strict=True))
    answers = zip(backfills.items(), rows, recent_ids, strict=True)
    return _parse_all(
        {
            uid: partial(_snapshot, row, {id: runs[id] for id in recent}, backfill)
            for (uid, backfill), row, recent in answers
        }
    )


def _parse_all(parsers: Mapping[str, Callable[[], T | None]]) -> dict[str, T]:
    parsed = {}
    for uid, parse in parsers.items():
        try:
            if (result := parse()) is not None:
                parsed[uid] = result
        except DAMAGED as error:
            # A user edited the record by hand, which must not stop the process's other work.
            log.warning("schedule_record_read_failed", schedule_uid=uid, error=f"{type(error).__name__}: {error}")
    return parsed


def _record(row: Sequence[bytes | None]) -> ScheduleRecord | None:
    record = ScheduleRecord.from_fields(decode_fields(_RECORD_FIELDS, row))
    return record if record.uid else None


def _snapshot(row: Sequence[Any], runs: Mapping[str, Sequence[bytes | None]], backfill: str) -> ScheduleSnapshot | None:
    fields, _, progress, is_waiting, further, failing = row
    if (record := _record(fields)) is None:
        return None
    fields_by_id = {id: decode_fields(_RUN_FIELDS, run) for id, run in runs.items()}
    # The records of old runs expire.
    recent = [RunRecord.from_fields(id, fields) for id, fields in fields_by_id.items() if RunField.STATE in fields]
    info = BackfillInfo.from_fields(backfill, decode_hash(progress)) if progress else None
    return ScheduleSnapshot(record, recent, info, waiting_runs(is_waiting, further), read_count(decode(failing or b"")))
