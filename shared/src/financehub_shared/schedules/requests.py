"""Requests for on-demand runs: triggers and backfills, which a live scheduler executes."""

import json
import time
from uuid import UUID, uuid4, uuid5

import redis

from financehub_shared.core.durations import DAY_SECONDS
from financehub_shared.core.errors import InvalidArgumentsError
from financehub_shared.redis import keys
from financehub_shared.redis.schedule_record import BackfillInfo, new_backfill
from financehub_shared.redis.text import decode_hash
from financehub_shared.schedules.listing import find_schedule

#: How long an ended backfill's progress is kept.
BACKFILL_TTL_SECONDS = 7 * DAY_SECONDS


def request_trigger(client: "redis.Redis", name: str) -> str:
    """Request one run now. A live scheduler enqueues it within about a second.

    Args:
        client: Client for the queue Redis, with replies as bytes.
        name: `namespace/name`, or `name` if it is unique.

    Returns:
        The id of the future run. `keys.run(id)` will hold its run record. If the concurrency policy forbids the run,
        the record's state is `skipped` and its `error` holds the reason.

    Raises:
        InvalidArgumentsError: There is no such schedule.
    """
    uid, _ = find_schedule(client, name)
    request = str(uuid4())
    client.hset(keys.SCHEDULE_TRIGGERS, request, json.dumps({"uid": uid, "at": time.time()}))
    return str(uuid5(UUID(uid), f"request {request}"))


def request_backfill(client: "redis.Redis", name: str, start: float, end: float) -> str:
    """Request all runs of a time range in the past. They are enqueued in order, as fast as the queue drains.

    Args:
        client: Client for the queue Redis, with replies as bytes.
        name: `namespace/name`, or `name` if it is unique.
        start: Start of the range in Unix seconds, inclusive.
        end: End of the range in Unix seconds, inclusive. It must be in the past.

    Returns:
        The id of the backfill, for `show_backfill`.

    Raises:
        InvalidArgumentsError: There is no such schedule, or the range is invalid.
    """
    if not start <= end <= time.time():
        raise InvalidArgumentsError("backfill", "end", "the range must end in the past and not before its start")
    uid, full_name = find_schedule(client, name)
    id = str(uuid4())
    with client.pipeline(transaction=True) as pipeline:
        pipeline.hset(keys.backfill(id), mapping=new_backfill(uid, full_name, start, end))
        pipeline.sadd(keys.SCHEDULE_BACKFILLS, id)
        pipeline.execute()
    return id


def show_backfill(client: "redis.Redis", id: str) -> BackfillInfo:
    """Return the progress of one backfill.

    Raises:
        InvalidArgumentsError: There is no backfill with this id, or it ended too long ago.
    """
    fields = decode_hash(client.hgetall(keys.backfill(id)))
    if not fields:
        days = BACKFILL_TTL_SECONDS // DAY_SECONDS
        raise InvalidArgumentsError("backfill", "id", f"{id!r} is unknown; ended backfills are kept for {days} days")
    return BackfillInfo.from_fields(id, fields)
