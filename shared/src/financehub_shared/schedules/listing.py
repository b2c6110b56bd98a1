"""Reads the registered schedules and the refused documents."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import redis

from financehub_shared.core.chunks import chunks
from financehub_shared.core.damage import DAMAGED
from financehub_shared.core.errors import InvalidArgumentsError
from financehub_shared.redis import keys
from financehub_shared.redis.key_types import readable, report_wrong_key
from financehub_shared.redis.schedule_record import NextRuns, ScheduleOutcome, ScheduleRecord
from financehub_shared.redis.text import decode, decode_hash, read_count
from financehub_shared.schedules.names import find_schedule
from financehub_shared.schedules.pauses import Pause
from financehub_shared.schedules.waiting import waiting_runs

#: No scheduler runs a schedule whose claim is older than this. Claims are renewed every 30 s.
UNCLAIMED_SECONDS = 90
#: Seconds after which a run that was published as the next one, and is still the next one, is late. Schedulers publish
#: a change within a few seconds.
LATE_SECONDS = 60
#: Number of schedules that are read in one round trip.
_CHUNK = 500
#: Hashes with a value per schedule, which are read with the records of many.
_SHARED = (keys.SCHEDULE_NEXT_RUNS, keys.SCHEDULES_PAUSED, keys.SCHEDULES_BUFFERED, keys.SCHEDULES_FAILING)
#: Number of newest runs that are listed for each schedule.
_RECENT_RUNS = 10


@dataclass(frozen=True, slots=True)
class ScheduleInfo:
    """One registered schedule.

    Args:
        uid: Stable id.
        name: `namespace/name`.
        task, queue: The task that it enqueues, and the queue to which it enqueues.
        spec: Its spec as written, without default values.
        suspended: Whether it is suspended.
        problem: Why it does not run; empty if it runs.
        next_times: Its next runs in Unix seconds, at most 3.
        claimed_at: Time in Unix seconds at which a live scheduler last claimed it.
        runs, triggered, backfilled: Number of messages enqueued for due times, triggers and backfills.
        missed: Number of due times that were missed.
        skipped: Skip reason → number of due times that were skipped.
        last_due_at: Due time of the newest due run in Unix seconds; None if there is none yet. Triggers and backfills
            do not change it.
        outcome: The outcomes of its runs.
        recent: Ids of its newest runs, newest first, at most 10.
        paused: Who paused it, why and when; None if it is not paused.
        buffered: Number of due runs that wait for the previous one.
        failures_in_row: Number of its runs that failed in a row, up to the newest, since the last edit or resumption.
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
    paused: Pause | None = None
    buffered: int = 0
    failures_in_row: int = 0

    @property
    def is_paused(self) -> bool:
        """Whether it is paused, so that it enqueues no due runs."""
        return self.paused is not None

    @property
    def after(self) -> str:
        """`namespace/name` of the schedule after whose successes it runs; empty if it has a recurrence."""
        name = self.spec.get("after")
        return f"{self.name.partition('/')[0]}/{name}" if name else ""

    @property
    def times_known(self) -> bool:
        """Always true, because the times were read with the schedule."""
        return True

    @property
    def recurrence_text(self) -> str:
        """Its cron expression or interval, or the schedule that it follows. See `recurrence_text`."""
        return recurrence_text(self.spec)

    def is_claimed(self, now: float) -> bool:
        """Whether a live scheduler runs the schedule at `now`, in Unix seconds."""
        return now - self.claimed_at < UNCLAIMED_SECONDS

    def is_late(self, now: float) -> bool:
        """Whether its next run is still to come although it was due a minute ago or earlier.

        Args:
            now: The current time in Unix seconds.
        """
        is_expected = not (self.suspended or self.is_paused or self.problem)
        return is_expected and bool(self.next_times) and now - self.next_times[0] > LATE_SECONDS


def recurrence_text(spec: Mapping[str, Any]) -> str:
    """Return the cron expression or interval of a spec. Several are separated by a semicolon.

    That of a follower is `after` and the name of its predecessor.
    """
    if after := spec.get("after"):
        return f"after {after}"
    return "; ".join(map(str, spec.get("schedules") or [spec.get("schedule", "")]))


def list_schedules(client: "redis.Redis") -> list[ScheduleInfo]:
    """Return all registered schedules, sorted by name, in one round trip per 500 schedules.

    Args:
        client: Client for the queue Redis, with replies as bytes.
    """
    with client.pipeline(transaction=False) as pipeline:
        pipeline.zrange(keys.SCHEDULES, 0, -1, withscores=True)
        (claims,) = readable([keys.SCHEDULES], pipeline.execute(raise_on_error=False), [])
    infos: list[ScheduleInfo] = []
    for chunk in chunks(claims, _CHUNK):
        with client.pipeline(transaction=False) as pipeline:
            pipeline.hmget(keys.SCHEDULE_NEXT_RUNS, [uid for uid, _ in chunk])
            pipeline.hmget(keys.SCHEDULES_PAUSED, [uid for uid, _ in chunk])
            pipeline.hmget(keys.SCHEDULES_BUFFERED, [uid for uid, _ in chunk])
            pipeline.hmget(keys.SCHEDULES_FAILING, [uid for uid, _ in chunk])
            names = [*_SHARED]
            for uid, _ in chunk:
                names += [key(decode(uid)) for key in (keys.schedule, keys.schedule_recent, keys.schedule_buffered)]
                pipeline.hgetall(names[-3])
                pipeline.lrange(names[-2], 0, _RECENT_RUNS - 1)
                pipeline.llen(names[-1])
            replies = readable(names, pipeline.execute(raise_on_error=False), {})
        next_runs, pauses, buffered, failing = (reply or [None] * len(chunk) for reply in replies[: len(_SHARED)])
        own = chunks(replies[len(_SHARED) :], 3)
        for (uid, claimed_at), next_run, pause, first, count, (raw, recent, further) in zip(
            chunk, next_runs, pauses, buffered, failing, own, strict=True
        ):
            try:
                # a schedule may be deleted between the two reads
                if (record := ScheduleRecord.from_fields(decode_hash(raw))).name:
                    waiting = waiting_runs(first is not None, further)
                    infos.append(_build_info(record, claimed_at, next_run, recent, pause, waiting, count))
            except DAMAGED as error:
                key = keys.schedule(decode(uid))
                report_wrong_key(key, f"it is not the record of a schedule ({type(error).__name__}: {error})")
    return sorted(infos, key=lambda info: info.name)


def show_schedule(client: "redis.Redis", name: str) -> ScheduleInfo:
    """Return one schedule.

    Args:
        client: Client for the queue Redis, with replies as bytes.
        name: `namespace/name`, or `name` if it is unique.

    Raises:
        InvalidArgumentsError: There is no schedule with this name, or there are several.
    """
    uid, _ = find_schedule(client, name)
    with client.pipeline(transaction=False) as pipeline:
        pipeline.zscore(keys.SCHEDULES, uid)
        pipeline.hget(keys.SCHEDULE_NEXT_RUNS, uid)
        pipeline.hgetall(keys.schedule(uid))
        pipeline.lrange(keys.schedule_recent(uid), 0, _RECENT_RUNS - 1)
        pipeline.hget(keys.SCHEDULES_PAUSED, uid)
        pipeline.hexists(keys.SCHEDULES_BUFFERED, uid)
        pipeline.llen(keys.schedule_buffered(uid))
        pipeline.hget(keys.SCHEDULES_FAILING, uid)
        names = [keys.SCHEDULES, keys.SCHEDULE_NEXT_RUNS, keys.schedule(uid), keys.schedule_recent(uid)]
        names += [keys.SCHEDULES_PAUSED, keys.SCHEDULES_BUFFERED, keys.schedule_buffered(uid), keys.SCHEDULES_FAILING]
        replies = readable(names, pipeline.execute(raise_on_error=False), {})
        claimed_at, next_runs, raw, recent, pause, is_waiting, further, failing = replies
    try:
        record = ScheduleRecord.from_fields(decode_hash(raw))
        # an empty value of another program pauses the schedule too
        paused = pause if isinstance(pause, bytes) else None
        waiting = waiting_runs(is_waiting, further)
        return _build_info(record, claimed_at or 0.0, next_runs or None, recent, paused, waiting, failing or None)
    except DAMAGED as error:
        problem = (
            f"the record {keys.schedule(uid)} of {name!r} is damaged ({error}); delete it, and a scheduler writes it"
        )
        raise InvalidArgumentsError("schedules", "name", problem) from error


def refused_schedules(client: "redis.Redis") -> dict[str, str]:
    """Return the documents that the scheduler refused: position (`file:line`) → problem and fix."""
    return {place: _read_message(value) for place, value in _read_hash(client, keys.SCHEDULES_REFUSED).items()}


def _read_hash(client: "redis.Redis", key: str) -> dict[str, str]:
    with client.pipeline(transaction=False) as pipeline:
        pipeline.hgetall(key)
        (raw,) = readable([key], pipeline.execute(raise_on_error=False), {})
    return decode_hash(raw)


def _read_message(encoded: str) -> str:
    """Return the message of a refused document, or the stored text if it is damaged."""
    try:
        return str(json.loads(encoded)["message"])
    except DAMAGED:
        return encoded


def _build_info(
    record: ScheduleRecord,
    claimed_at: float,
    encoded_next_runs: bytes | None,
    recent: Sequence[bytes],
    encoded_pause: bytes | None,
    waiting: int,
    failing: bytes | None,
) -> ScheduleInfo:
    next_runs = NextRuns.from_json(encoded_next_runs) if encoded_next_runs else NextRuns()
    paused = None if encoded_pause is None else Pause.from_json(encoded_pause)
    return ScheduleInfo(
        uid=record.uid,
        name=record.name,
        task=record.task,
        queue=record.queue,
        spec=record.spec,
        suspended=record.suspended,
        problem=next_runs.problem or (paused.problem if paused else ""),
        # The scheduler needs up to three seconds to publish that there are none.
        next_times=() if paused else next_runs.times,
        claimed_at=claimed_at,
        runs=record.runs,
        triggered=record.triggered,
        backfilled=record.backfilled,
        missed=record.missed,
        skipped=record.skipped,
        last_due_at=record.last_due_at,
        outcome=record.outcome,
        recent=tuple(decode(message_id) for message_id in recent),
        paused=paused,
        buffered=waiting,
        failures_in_row=read_count(decode(failing or b"")),
    )
