"""What Redis knows of schedules, as far as their status says it; read in few round trips."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

import structlog
from redis.asyncio import Redis

from financehub_shared.monitor.records import Run, ScheduleOutcome, fields_of
from financehub_shared.redis import keys
from financehub_shared.schedules import BackfillInfo

log = structlog.get_logger(__name__)

T = TypeVar("T")

_SKIPPED = ("skipped_overlap", "skipped_backlog", "skipped_refused")
_RECORD = (
    "uid",
    "runs",
    "triggered",
    "backfilled",
    "missed",
    *_SKIPPED,
    "last_skip_reason",
    "last_skip_at",
    "last_due_at",
    "ended",
    "failures",
    "last_run_id",
    "last_run_outcome",
    "last_run_at",
    "last_run_duration",
    "last_run_error",
    "last_success_at",
    "last_failure_at",
)
_RUN = ("state", "due_at", "finished_at", "duration")


@dataclass(frozen=True, slots=True)
class Record:
    """The record of one schedule. Times are Unix seconds.

    Args:
        runs, triggered, backfilled: runs enqueued, by occasion.
        missed: due times given up because they were too late.
        skipped: due times left out on purpose.
        last_skip: reason and time of the newest of them.
        last_due_at: due time of the newest run that the timetable enqueued.
        outcome: what became of the runs that ended.
    """

    runs: int = 0
    triggered: int = 0
    backfilled: int = 0
    missed: int = 0
    skipped: int = 0
    last_skip: tuple[str, float] | None = None
    last_due_at: float | None = None
    outcome: ScheduleOutcome = field(default_factory=ScheduleOutcome)

    @property
    def settled(self) -> int:
        """Grows with whatever is over: a run that ended, a due time that was skipped or missed."""
        return self.outcome.ended + self.skipped + self.missed

    @classmethod
    def from_fields(cls, fields: Mapping[str, str]) -> "Record":
        """Read the hash of `keys.schedule(uid)`."""
        reason = fields.get("last_skip_reason")
        return cls(
            **{name: int(fields.get(name, 0)) for name in ("runs", "triggered", "backfilled", "missed")},
            skipped=sum(int(fields.get(name, 0)) for name in _SKIPPED),
            last_skip=(reason, float(fields["last_skip_at"])) if reason else None,
            last_due_at=float(fields["last_due_at"]) if "last_due_at" in fields else None,
            outcome=ScheduleOutcome.from_fields(fields),
        )


@dataclass(frozen=True, slots=True)
class Facts:
    """All that a status tells of one schedule.

    Args:
        record: of the schedule.
        recent: its newest runs, newest first.
        backfill: the one that its annotation asks for, if it is known.
    """

    record: Record = field(default_factory=Record)
    recent: Sequence[Run] = ()
    backfill: BackfillInfo | None = None


async def read_records(client: "Redis", uids: Sequence[str]) -> dict[str, Record]:
    """Records of those schedules that are registered.

    Raises:
        redis.RedisError: Redis is away.
    """
    async with client.pipeline(transaction=False) as pipeline:
        for uid in uids:
            pipeline.hmget(keys.schedule(uid), _RECORD)
        rows: list[Any] = await pipeline.execute()
    return _readable({uid: partial(_record, row) for uid, row in zip(uids, rows, strict=True)})


async def read_facts(client: "Redis", backfills: Mapping[str, str]) -> dict[str, Facts]:
    """Everything about those schedules that are registered, in two round trips.

    Args:
        client: Redis of the queues.
        backfills: uid of a schedule → id of the backfill that its annotation asks for; empty: of none.

    Raises:
        redis.RedisError: Redis is away.
    """
    async with client.pipeline(transaction=False) as pipeline:
        for uid, backfill in backfills.items():
            pipeline.hmget(keys.schedule(uid), _RECORD)
            pipeline.lrange(keys.schedule_recent(uid), 0, 9)
            pipeline.hgetall(keys.backfill(backfill))
        rows: list[Any] = await pipeline.execute()
    ids = [id.decode() for recent in rows[1::3] for id in recent]
    async with client.pipeline(transaction=False) as pipeline:
        for id in ids:
            pipeline.hmget(keys.run(id), _RUN)
        runs = dict(zip(ids, await pipeline.execute(), strict=True))
    answers = zip(backfills.items(), rows[::3], rows[1::3], rows[2::3], strict=True)
    return _readable(
        {
            uid: partial(_facts, record, {id.decode(): runs[id.decode()] for id in recent}, backfill, progress)
            for (uid, backfill), record, recent, progress in answers
        }
    )


def _readable(readers: Mapping[str, Callable[[], T | None]]) -> dict[str, T]:
    found = {}
    for uid, read in readers.items():
        try:
            if (each := read()) is not None:
                found[uid] = each
        except (ValueError, KeyError) as error:
            # written by hand; it must not stop what else this process does
            log.warning("record_unreadable", schedule_uid=uid, error=f"{type(error).__name__}: {error}")
    return found


def _record(row: Sequence[bytes | None]) -> Record | None:
    fields = _text(_RECORD, row)
    return Record.from_fields(fields) if "uid" in fields else None


def _facts(
    row: Sequence[bytes | None],
    runs: Mapping[str, Sequence[bytes | None]],
    backfill: str,
    progress: Mapping[bytes, bytes],
) -> Facts | None:
    if (record := _record(row)) is None:
        return None
    # the record of an old run expires
    recent = [Run.from_fields(id, fields) for id, run in runs.items() if "state" in (fields := _text(_RUN, run))]
    return Facts(record, recent, BackfillInfo.from_fields(backfill, fields_of(progress)) if progress else None)


def _text(names: Sequence[str], values: Sequence[bytes | None]) -> dict[str, str]:
    return {
        name: value.decode(errors="replace") for name, value in zip(names, values, strict=True) if value is not None
    }
