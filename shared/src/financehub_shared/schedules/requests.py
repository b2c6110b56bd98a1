"""Requests for on-demand runs: triggers and backfills, which a live scheduler executes."""

import json
from uuid import UUID, uuid4, uuid5

import redis

from financehub_shared.core.damage import DAMAGED
from financehub_shared.core.durations import DAY_SECONDS
from financehub_shared.core.errors import InvalidArgumentsError
from financehub_shared.redis import keys
from financehub_shared.redis.key_types import readable, repaired
from financehub_shared.redis.schedule_keys import schedule_types
from financehub_shared.redis.schedule_record import BackfillInfo, ScheduleField, new_backfill
from financehub_shared.redis.server_clock import server_time
from financehub_shared.redis.text import decode_hash
from financehub_shared.schedules.backfill_list import remember_backfill
from financehub_shared.schedules.names import find_schedule

#: Largest number of triggers that wait for a scheduler. Schedulers take all of them every second.
MAX_TRIGGERS = 1_000
#: Largest number of backfills that have not ended. Schedulers read the record of each every second.
MAX_BACKFILLS = 100
#: Largest number of due times in a backfill. A longer range is refused, because it is more likely a typo than intended.
MAX_BACKFILL_RUNS = 10_000
#: Largest number of messages that a backfill keeps in the queue if the schedule does not set `maxQueueDepth`.
BACKFILL_QUEUE_DEPTH = 100
#: Earliest start of a backfill in Unix seconds: 2000-01-01. An earlier one is a mistake.
EARLIEST_BACKFILL = 946_684_800.0
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
    if repaired(client, schedule_types, lambda: client.hlen(keys.SCHEDULE_TRIGGERS)) >= MAX_TRIGGERS:
        problem = f"{MAX_TRIGGERS} triggers are already waiting; check that a scheduler is live, and try again later"
        raise InvalidArgumentsError("trigger", "name", problem)
    request = str(uuid4())
    _parse_uid(name, uid)
    value = json.dumps({"uid": uid, "at": server_time(client)})
    repaired(client, schedule_types, lambda: client.hset(keys.SCHEDULE_TRIGGERS, request, value))
    return str(uuid5(_parse_uid(name, uid), f"request {request}"))


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
        InvalidArgumentsError: There is no such schedule, it runs after another one, or the range is invalid.
    """
    check_range(start, end, server_time(client))
    uid, full_name = find_schedule(client, name)
    _check_recurrence(client, uid)
    if repaired(client, schedule_types, lambda: client.scard(keys.SCHEDULE_BACKFILLS)) >= MAX_BACKFILLS:
        problem = f"{MAX_BACKFILLS} backfills have not ended yet; wait until one ends"
        raise InvalidArgumentsError("backfill", "name", problem)
    id = str(uuid4())

    def write() -> None:
        with client.pipeline(transaction=True) as pipeline:
            pipeline.hset(keys.backfill(id), mapping=new_backfill(uid, full_name, start, end))
            pipeline.sadd(keys.SCHEDULE_BACKFILLS, id)
            remember_backfill(pipeline, uid, id)
            pipeline.execute()

    repaired(client, lambda: schedule_types([uid]), write)
    return id


def follower_problem(after: str) -> str:
    """Return why a follower cannot be backfilled.

    Args:
        after: Name of its predecessor.
    """
    return (
        f"it runs after each success of {after}, so it has no due times that could be computed; backfill {after} "
        "instead, whose successes start it, or trigger it"
    )


def _check_recurrence(client: "redis.Redis", uid: str) -> None:
    with client.pipeline(transaction=False) as pipeline:
        pipeline.hget(keys.schedule(uid), ScheduleField.SPEC)
        (raw,) = readable([keys.schedule(uid)], pipeline.execute(raise_on_error=False), None)
    try:
        after = json.loads(raw or "{}").get("after")
    except DAMAGED:
        # The scheduler that carries out the backfill knows the spec, and refuses it if it has to.
        return
    if after:
        raise InvalidArgumentsError("backfill", "name", follower_problem(str(after)))


def check_range(start: float, end: float, now: float) -> None:
    """Check the range of a backfill.

    Args:
        start: Start of the range in Unix seconds.
        end: End of the range in Unix seconds.
        now: The current time of Redis in Unix seconds.

    Raises:
        InvalidArgumentsError: The range is too early, in the future, or ends before its start.
    """
    if start < EARLIEST_BACKFILL:
        raise InvalidArgumentsError("backfill", "start", "the range must begin on 2000-01-01 or later")
    if start > now:
        raise InvalidArgumentsError("backfill", "start", "the range must begin in the past")
    if not start <= end <= now:
        raise InvalidArgumentsError("backfill", "end", "the range must end in the past and not before its start")


def _parse_uid(name: str, uid: str) -> UUID:
    try:
        return UUID(uid)
    except ValueError as error:
        problem = f"{keys.SCHEDULE_NAMES} has a damaged entry for {name!r}; delete it, and a scheduler writes it again"
        raise InvalidArgumentsError("schedules", "name", problem) from error


def show_backfill(client: "redis.Redis", id: str) -> BackfillInfo:
    """Return the progress of one backfill.

    Raises:
        InvalidArgumentsError: There is no backfill with this id, or it ended too long ago.
    """
    with client.pipeline(transaction=False) as pipeline:
        pipeline.hgetall(keys.backfill(id))
        (raw,) = readable([keys.backfill(id)], pipeline.execute(raise_on_error=False), {})
    fields = decode_hash(raw)
    if not fields:
        days = BACKFILL_TTL_SECONDS // DAY_SECONDS
        raise InvalidArgumentsError("backfill", "id", f"{id!r} is unknown; ended backfills are kept for {days} days")
    try:
        return BackfillInfo.from_fields(id, fields)
    except DAMAGED as error:
        problem = f"its record {keys.backfill(id)} is damaged ({error}); request the backfill again"
        raise InvalidArgumentsError("backfill", "id", problem) from error
