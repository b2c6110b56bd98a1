"""Schedules as everybody but the scheduler sees them: what is registered in Redis, and how to ask for a run.

The scheduler registers its schedules; the CLI and the health page list them from here without importing it.
"""

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4, uuid5

import redis

from financehub_shared.core.chunks import chunks
from financehub_shared.core.errors import InvalidArgumentsError
from financehub_shared.redis import keys
from financehub_shared.redis.schedule_record import (
    BackfillInfo,
    NextRuns,
    ScheduleOutcome,
    ScheduleRecord,
    new_backfill,
)
from financehub_shared.redis.text import decode_hash

#: A schedule that no scheduler has claimed for this long is not being run (claims are renewed every 30 s).
UNCLAIMED_SECONDS = 90
#: How long a finished backfill can be looked up.
BACKFILL_TTL_SECONDS = 7 * 86_400
#: Schedules read per round trip.
_CHUNK = 500


@dataclass(frozen=True, slots=True)
class ScheduleInfo:
    """One registered schedule.

    Args:
        uid: its stable id.
        name: `namespace/name`.
        task, queue: what it enqueues, and where.
        spec: its spec as written, defaults left out.
        suspended: paused.
        problem: why it does not run; empty: it does.
        next_times: the next times of a run, Unix seconds, at most 3.
        claimed_at: when a live scheduler last vouched for it, Unix seconds.
        runs, triggered, backfilled: messages enqueued so far, by occasion.
        missed: due times given up because they were too late.
        skipped: reason (`overlap`, `backlog`) → due times left out on purpose.
        last_due_at: due time of the newest scheduled run, Unix seconds; None if there is none yet. Triggers and
            backfills do not change it.
        outcome: what became of the runs that ended.
        recent: message ids of the newest runs, newest first, at most 10.
    """

    uid: str
    name: str
    task: str
    queue: str
    spec: Mapping[str, Any]
    suspended: bool
    problem: str
    next_times: tuple[float, ...]
    claimed_at: float
    runs: int
    triggered: int
    backfilled: int
    missed: int
    skipped: Mapping[str, int]
    last_due_at: float | None
    outcome: ScheduleOutcome
    recent: tuple[str, ...]


def list_schedules(client: "redis.Redis") -> list[ScheduleInfo]:
    """All registered schedules by name, in a constant number of round trips per 500 of them.

    Args:
        client: Redis of the queues, with answers as bytes.
    """
    claims: Any = client.zrange(keys.SCHEDULES, 0, -1, withscores=True)
    found: list[ScheduleInfo] = []
    for chunk in chunks(claims, _CHUNK):
        with client.pipeline(transaction=False) as pipeline:
            pipeline.hmget(keys.SCHEDULE_NEXT_RUNS, [uid for uid, _ in chunk])
            for uid, _ in chunk:
                pipeline.hgetall(keys.schedule(uid.decode()))
                pipeline.lrange(keys.schedule_recent(uid.decode()), 0, 9)
            next_runs, *rest = pipeline.execute()
        for (_, claimed_at), next_run, raw, recent in zip(chunk, next_runs, rest[::2], rest[1::2], strict=True):
            # A schedule may be deleted between the two round trips.
            if (record := ScheduleRecord.from_fields(decode_hash(raw))).name:
                found.append(_info(record, claimed_at, next_run, recent))
    return sorted(found, key=lambda info: info.name)


def show_schedule(client: "redis.Redis", name: str) -> ScheduleInfo:
    """One schedule.

    Args:
        client: Redis of the queues, with answers as bytes.
        name: `namespace/name`, or `name` where that is unique.

    Raises:
        InvalidArgumentsError: there is none of that name, or several.
    """
    uid, _ = _resolve(client, name)
    with client.pipeline(transaction=False) as pipeline:
        pipeline.zscore(keys.SCHEDULES, uid)
        pipeline.hget(keys.SCHEDULE_NEXT_RUNS, uid)
        pipeline.hgetall(keys.schedule(uid))
        pipeline.lrange(keys.schedule_recent(uid), 0, 9)
        claimed_at, next_runs, raw, recent = pipeline.execute()
    return _info(ScheduleRecord.from_fields(decode_hash(raw)), claimed_at or 0.0, next_runs, recent)


def refused_schedules(client: "redis.Redis") -> dict[str, str]:
    """Documents the scheduler refused: place (`file:line`) → what is wrong and how to mend it."""
    return {
        place: json.loads(value)["message"]
        for place, value in decode_hash(client.hgetall(keys.SCHEDULES_REFUSED)).items()
    }


def request_trigger(client: "redis.Redis", name: str) -> str:
    """Ask for one run now; a live scheduler enqueues it within about a second.

    Args:
        client: Redis of the queues, with answers as bytes.
        name: `namespace/name`, or `name` where that is unique.

    Returns:
        The message id of the run to come; `keys.run(id)` holds its record, state `skipped` with the reason in `error`
        when the concurrency policy forbids it.

    Raises:
        InvalidArgumentsError: there is no such schedule.
    """
    uid, _ = _resolve(client, name)
    request = str(uuid4())
    client.hset(keys.SCHEDULE_TRIGGERS, request, json.dumps({"uid": uid, "at": time.time()}))
    return str(uuid5(UUID(uid), f"request {request}"))


def request_backfill(client: "redis.Redis", name: str, start: float, end: float) -> str:
    """Ask for the runs that were due in a time range; they are enqueued in order, as fast as the queue takes them.

    Args:
        client: Redis of the queues, with answers as bytes.
        name: `namespace/name`, or `name` where that is unique.
        start: first moment of the range, Unix seconds.
        end: its last moment, in the past.

    Returns:
        The backfill's id for `show_backfill`.

    Raises:
        InvalidArgumentsError: there is no such schedule, or the range is wrong.
    """
    if not start <= end <= time.time():
        raise InvalidArgumentsError("backfill", "end", "the range must end in the past and not before its start")
    uid, full = _resolve(client, name)
    id = str(uuid4())
    with client.pipeline(transaction=True) as pipeline:
        pipeline.hset(keys.backfill(id), mapping=new_backfill(uid, full, start, end))
        pipeline.sadd(keys.SCHEDULE_BACKFILLS, id)
        pipeline.execute()
    return id


def show_backfill(client: "redis.Redis", id: str) -> BackfillInfo:
    """Progress of one backfill.

    Raises:
        InvalidArgumentsError: there is none of that id (any more).
    """
    record = decode_hash(client.hgetall(keys.backfill(id)))
    if not record:
        raise InvalidArgumentsError(
            "backfill", "id", f"{id!r} is not known; ended ones are kept for {BACKFILL_TTL_SECONDS // 86_400} days"
        )
    return BackfillInfo.from_fields(id, record)


def _resolve(client: "redis.Redis", name: str) -> tuple[str, str]:
    """Uid and full name of the schedule that `name` means."""
    names = decode_hash(client.hgetall(keys.SCHEDULE_NAMES))
    matches = [full for full in names if name in {full, full.partition("/")[2]}]
    if len(matches) == 1:
        return names[matches[0]], matches[0]
    if matches:
        problem = f"{name!r} is in several namespaces: {', '.join(sorted(matches))}"
    else:
        problem = (
            f"{name!r} is not registered; known are {', '.join(sorted(names)) or 'none (is a scheduler running?)'}"
        )
    raise InvalidArgumentsError("schedules", "name", problem)


def _info(record: ScheduleRecord, claimed_at: float, next_runs: bytes | None, recent: Sequence[bytes]) -> ScheduleInfo:
    expected = NextRuns.from_json(next_runs) if next_runs else NextRuns()
    return ScheduleInfo(
        uid=record.uid,
        name=record.name,
        task=record.task,
        queue=record.queue,
        spec=record.spec,
        suspended=record.suspended,
        problem=expected.problem,
        next_times=expected.times,
        claimed_at=claimed_at,
        runs=record.runs,
        triggered=record.triggered,
        backfilled=record.backfilled,
        missed=record.missed,
        skipped=record.skipped,
        last_due_at=record.last_due_at,
        outcome=record.outcome,
        recent=tuple(message_id.decode() for message_id in recent),
    )
