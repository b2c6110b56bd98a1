"""Schedules as everybody but the scheduler sees them: what is registered in Redis, and how to ask for a run.

The scheduler registers its schedules; the CLI and the health page list them from here without importing it.
"""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4, uuid5

import redis

from financehub_shared.core.errors import InvalidArgumentsError
from financehub_shared.monitor.records import ScheduleOutcome
from financehub_shared.redis import keys

#: A schedule that no scheduler has claimed for this long is not being run (claims are renewed every 30 s).
UNCLAIMED_SECONDS = 90
#: How long a finished backfill can be looked up.
BACKFILL_TTL_SECONDS = 7 * 86_400


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
        last_due_at: due time of the last message, Unix seconds; None: none yet, or its record has expired.
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


@dataclass(frozen=True, slots=True)
class BackfillInfo:
    """Progress of one backfill.

    Args:
        id: its id.
        name: `namespace/name` of the schedule.
        start, end: range of due times, Unix seconds, both inclusive.
        state: `pending`, `running`, `finished` or `refused`.
        total: due times in the range; 0 while pending.
        enqueued: messages enqueued so far.
        message: why it was refused; empty else.
    """

    id: str
    name: str
    start: float
    end: float
    state: str
    total: int
    enqueued: int
    message: str

    @classmethod
    def from_fields(cls, id: str, fields: Mapping[str, str]) -> "BackfillInfo":
        """Read the hash of `keys.backfill(id)`."""
        # told, not stored: a scheduler that starts a backfill late must not overwrite that another has ended it
        begun = fields["state"] == "pending" and "total" in fields
        return cls(
            id=id,
            name=fields["name"],
            start=float(fields["start"]),
            end=float(fields["end"]),
            state="running" if begun else fields["state"],
            total=int(fields.get("total", 0)),
            enqueued=int(fields["enqueued"]),
            message=fields.get("message", ""),
        )


def _text(answer: Any) -> dict[str, str]:
    return {key.decode(): value.decode() for key, value in answer.items()}


def list_schedules(client: "redis.Redis") -> list[ScheduleInfo]:
    """All registered schedules by name, in a constant number of round trips per 500 of them.

    Args:
        client: Redis of the queues, with answers as bytes.
    """
    claims: Any = client.zrange(keys.SCHEDULES, 0, -1, withscores=True)
    found: list[ScheduleInfo] = []
    for begin in range(0, len(claims), 500):
        chunk = claims[begin : begin + 500]
        with client.pipeline(transaction=False) as pipeline:
            pipeline.hmget(keys.SCHEDULE_OUTLOOK, [uid for uid, _ in chunk])
            for uid, _ in chunk:
                pipeline.hgetall(keys.schedule(uid.decode()))
                pipeline.lrange(keys.schedule_recent(uid.decode()), 0, 9)
            outlooks, *rest = pipeline.execute()
        records = [_text(record) for record in rest[::2]]
        with client.pipeline(transaction=False) as pipeline:
            for record in records:
                pipeline.hget(keys.run(record.get("last_message_id", "")), "due_at")
            last_due = pipeline.execute()
        for (uid, claimed), outlook, record, recent, due_at in zip(
            chunk, outlooks, records, rest[1::2], last_due, strict=True
        ):
            # deleted between the two round trips
            if "name" in record:
                found.append(_info(uid.decode(), claimed, outlook, record, recent, due_at))
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
        pipeline.hget(keys.SCHEDULE_OUTLOOK, uid)
        pipeline.hgetall(keys.schedule(uid))
        pipeline.lrange(keys.schedule_recent(uid), 0, 9)
        claimed, outlook, raw, recent = pipeline.execute()
    record = _text(raw)
    due_at: Any = client.hget(keys.run(record.get("last_message_id", "")), "due_at")
    return _info(uid, claimed or 0.0, outlook, record, recent, due_at)


def refused_schedules(client: "redis.Redis") -> dict[str, str]:
    """Documents the scheduler refused: place (`file:line`) → what is wrong and how to mend it."""
    return {
        place: json.loads(value)["message"] for place, value in _text(client.hgetall(keys.SCHEDULES_REFUSED)).items()
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
        pipeline.hset(keys.backfill(id), mapping=backfill_record(uid, full, start, end))
        pipeline.sadd(keys.SCHEDULE_BACKFILLS, id)
        pipeline.execute()
    return id


def backfill_record(uid: str, name: str, start: float, end: float) -> dict[Any, Any]:
    """What a new backfill looks like in Redis; the cursor stands just before its first due time."""
    return {
        "uid": uid,
        "name": name,
        "start": repr(start),
        "end": repr(end),
        "cursor": str(int(start * 1000) - 1),
        "state": "pending",
        "enqueued": "0",
    }


def show_backfill(client: "redis.Redis", id: str) -> BackfillInfo:
    """Progress of one backfill.

    Raises:
        InvalidArgumentsError: there is none of that id (any more).
    """
    record = _text(client.hgetall(keys.backfill(id)))
    if not record:
        raise InvalidArgumentsError(
            "backfill", "id", f"{id!r} is not known; ended ones are kept for {BACKFILL_TTL_SECONDS // 86_400} days"
        )
    return BackfillInfo.from_fields(id, record)


def _resolve(client: "redis.Redis", name: str) -> tuple[str, str]:
    """Uid and full name of the schedule that `name` means."""
    names = _text(client.hgetall(keys.SCHEDULE_NAMES))
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


def _info(
    uid: str,
    claimed: float,
    outlook: bytes | None,
    record: Mapping[str, str],
    recent: list[bytes],
    due_at: bytes | None,
) -> ScheduleInfo:
    expected: Any = json.loads(outlook) if outlook else {"next": [], "problem": ""}

    return ScheduleInfo(
        uid=uid,
        name=record["name"],
        task=record["task"],
        queue=record["queue"],
        spec=json.loads(record["spec"]),
        suspended=record["suspended"] == "1",
        problem=expected["problem"],
        next_times=tuple(expected["next"]),
        claimed_at=claimed,
        runs=int(record.get("runs", 0)),
        triggered=int(record.get("triggered", 0)),
        backfilled=int(record.get("backfilled", 0)),
        missed=int(record.get("missed", 0)),
        skipped={k.removeprefix("skipped_"): int(v) for k, v in record.items() if k.startswith("skipped_")},
        last_due_at=None if due_at is None else float(due_at),
        outcome=ScheduleOutcome.from_fields(record),
        recent=tuple(message_id.decode() for message_id in recent),
    )
