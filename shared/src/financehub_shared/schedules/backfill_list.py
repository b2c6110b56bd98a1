"""The newest backfills of a schedule, for pages and listings. Nothing else depends on this list."""

from typing import Any

import redis

from financehub_shared.core.damage import DAMAGED
from financehub_shared.core.durations import DAY_SECONDS
from financehub_shared.redis import keys
from financehub_shared.redis.key_types import readable, report_wrong_key
from financehub_shared.redis.schedule_record import BackfillInfo
from financehub_shared.redis.text import decode, decode_hash

#: Number of backfills of a schedule that are listed.
LISTED_BACKFILLS = 10
#: How long the list is kept after the newest request. The backfills in it are deleted a week after their end.
_LIST_SECONDS = 30 * DAY_SECONDS


def remember_backfill(pipeline: Any, uid: str, id: str) -> None:
    """Put a backfill at the beginning of its schedule's list. Doing it again does no harm.

    Args:
        pipeline: Pipeline of a synchronous or asynchronous client.
        uid: Uid of the schedule.
        id: Id of the backfill.
    """
    key = keys.schedule_backfills(uid)
    pipeline.lrem(key, 0, id)
    pipeline.lpush(key, id)
    pipeline.ltrim(key, 0, LISTED_BACKFILLS - 1)
    pipeline.expire(key, _LIST_SECONDS)


def list_backfills(client: "redis.Redis", uid: str) -> list[BackfillInfo]:
    """Return the newest backfills of a schedule, newest first. Those that ended more than a week ago are left out.

    Args:
        client: Client for the queue Redis, with replies as bytes.
        uid: Uid of the schedule.
    """
    list_key = keys.schedule_backfills(uid)
    with client.pipeline(transaction=False) as pipeline:
        pipeline.lrange(list_key, 0, LISTED_BACKFILLS - 1)
        (raw_ids,) = readable([list_key], pipeline.execute(raise_on_error=False), [])
    ids = [decode(id) for id in raw_ids]
    names = [keys.backfill(id) for id in ids]
    if not names:
        return []
    with client.pipeline(transaction=False) as pipeline:
        for name in names:
            pipeline.hgetall(name)
        records = readable(names, pipeline.execute(raise_on_error=False), {})
    found = []
    for id, name, record in zip(ids, names, records, strict=True):
        if record:
            try:
                found.append(BackfillInfo.from_fields(id, decode_hash(record)))
            except DAMAGED as error:
                report_wrong_key(name, f"it is not the record of a backfill ({type(error).__name__}: {error})")
    return found
