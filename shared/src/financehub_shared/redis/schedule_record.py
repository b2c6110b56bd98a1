"""The schedule record, the backfill record and the next runs: their field names in Redis, and their only parsers.

Several processes write these hashes: the scheduler's scripts write the spec and the counters, and the monitor's scripts
write the outcome of the last run. All of them, and every reader, take the field names from here.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Self

from financehub_shared.redis.lua import lua_field_names
from financehub_shared.redis.text import LATEST_TIME, read_time


class ScheduleField(StrEnum):
    """Fields of the hash `keys.schedule(uid)`."""

    # Written at registration.
    UID = "uid"
    NAME = "name"
    TASK = "task"
    QUEUE = "queue"
    SPEC = "spec"
    SUSPENDED = "suspended"
    FINGERPRINT = "fingerprint"
    CREATED_AT = "created_at"
    CHANGED_AT = "changed_at"
    PENDING = "pending"
    # Written when runs are enqueued, skipped or given up.
    RUNS = "runs"
    TRIGGERED = "triggered"
    BACKFILLED = "backfilled"
    MISSED = "missed"
    SKIPPED_OVERLAP = "skipped_overlap"
    SKIPPED_BACKLOG = "skipped_backlog"
    SKIPPED_REFUSED = "skipped_refused"
    LAST_SKIP_REASON = "last_skip_reason"
    LAST_SKIP_AT = "last_skip_at"
    LAST_DUE_AT = "last_due_at"
    LAST_MESSAGE_ID = "last_message_id"
    TRIGGER = "trigger"
    ANNOTATED_BACKFILL = "annotated_backfill"
    # Written when runs end.
    ENDED = "ended"
    FAILURES = "failures"
    LAST_RUN_ID = "last_run_id"
    LAST_RUN_OUTCOME = "last_run_outcome"
    LAST_RUN_AT = "last_run_at"
    LAST_RUN_DURATION = "last_run_duration"
    LAST_RUN_ERROR = "last_run_error"
    LAST_SUCCESS_AT = "last_success_at"
    LAST_FAILURE_AT = "last_failure_at"
    # Written at a deletion: the high-water mark of the deleted schedule in Unix milliseconds.
    SETTLED = "settled"


class BackfillField(StrEnum):
    """Fields of the hash `keys.backfill(id)`."""

    UID = "uid"
    NAME = "name"
    START = "start"
    END = "end"
    CURSOR = "cursor"
    STATE = "state"
    TOTAL = "total"
    ENQUEUED = "enqueued"
    MESSAGE = "message"


#: Fingerprint of a deleted schedule. Of the rest of its record, only `SETTLED` is left. This tombstone expires after an
#: hour.
DELETED = "deleted"
#: Fingerprint of a deactivated schedule. No spec has this fingerprint, so no scheduler runs the schedule.
DEACTIVATED = "deactivated"

#: Reason for which a due run is skipped → the field that counts such runs.
SKIPPED_FIELDS = {
    "overlap": ScheduleField.SKIPPED_OVERLAP,
    "backlog": ScheduleField.SKIPPED_BACKLOG,
    "refused": ScheduleField.SKIPPED_REFUSED,
}

#: Lua tables of the field names, and the function `is_registered(key)`. It is false for a tombstone, so that the
#: outcomes of a deleted schedule's last runs do not bring its record back.
LUA_SCHEDULE_RECORD = (
    lua_field_names("schedule_field", ScheduleField)
    + lua_field_names("backfill_field", BackfillField)
    + f"""\
local function is_registered(key)
  local fingerprint = redis.call('HGET', key, schedule_field.fingerprint)
  return fingerprint and fingerprint ~= '{DELETED}'
end
"""
)


def _time(fields: Mapping[str, str], name: str) -> float:
    """Return a time or a duration in seconds. No other program's number may make a listing fail."""
    if (time := read_time(fields[name])) is None:
        raise ValueError(f"{name} is not a number of seconds: {fields[name][:60]!r}")
    return time


def _optional_time(fields: Mapping[str, str], name: str) -> float | None:
    return _time(fields, name) if fields.get(name) else None


@dataclass(frozen=True, slots=True)
class ScheduleOutcome:
    """The outcomes of one schedule's runs. Times are Unix seconds.

    Args:
        ended: Number of runs that ended, with any outcome.
        failures: Number of runs that were dead-lettered or lost.
        last_run_id, last_run_outcome, last_run_at, last_run_duration, last_run_error: The run that ended last.
        last_success_at, last_failure_at: Times of the last success and the last failure.
    """

    ended: int = 0
    failures: int = 0
    last_run_id: str = ""
    last_run_outcome: str = ""
    last_run_at: float | None = None
    last_run_duration: float | None = None
    last_run_error: str = ""
    last_success_at: float | None = None
    last_failure_at: float | None = None

    @classmethod
    def from_fields(cls, fields: Mapping[str, str]) -> Self:
        """Parse the fields of `keys.schedule(uid)` that are written when runs end."""
        return cls(
            ended=int(fields.get(ScheduleField.ENDED, 0)),
            failures=int(fields.get(ScheduleField.FAILURES, 0)),
            last_run_id=fields.get(ScheduleField.LAST_RUN_ID, ""),
            last_run_outcome=fields.get(ScheduleField.LAST_RUN_OUTCOME, ""),
            last_run_at=_optional_time(fields, ScheduleField.LAST_RUN_AT),
            last_run_duration=_optional_time(fields, ScheduleField.LAST_RUN_DURATION),
            last_run_error=fields.get(ScheduleField.LAST_RUN_ERROR, ""),
            last_success_at=_optional_time(fields, ScheduleField.LAST_SUCCESS_AT),
            last_failure_at=_optional_time(fields, ScheduleField.LAST_FAILURE_AT),
        )


@dataclass(frozen=True, slots=True)
class ScheduleRecord:
    """The record of one schedule. Times are Unix seconds.

    Args:
        uid: The schedule's stable id; empty if the schedule is not registered.
        name: `namespace/name`.
        task, queue: Task that it enqueues, and the queue to which it enqueues.
        spec: Its spec as written, without default values; empty if the field was not read.
        suspended: Whether it is suspended.
        runs, triggered, backfilled: Number of messages enqueued so far for due times, triggers and backfills.
        missed: Number of due times given up because they were too late.
        skipped: Skip reason → number of due times that were skipped.
        last_skip: Reason and time of the newest skip.
        last_due_at: Due time of the newest scheduled run that was enqueued. Triggers and backfills do not change it.
        outcome: The outcomes of its runs.
    """

    uid: str = ""
    name: str = ""
    task: str = ""
    queue: str = ""
    spec: Mapping[str, Any] = field(default_factory=dict)
    suspended: bool = False
    runs: int = 0
    triggered: int = 0
    backfilled: int = 0
    missed: int = 0
    skipped: Mapping[str, int] = field(default_factory=dict)
    last_skip: tuple[str, float] | None = None
    last_due_at: float | None = None
    outcome: ScheduleOutcome = field(default_factory=ScheduleOutcome)

    @property
    def progress(self) -> int:
        """A number that grows with every run that ends and every due time that is skipped or missed."""
        return self.outcome.ended + sum(self.skipped.values()) + self.missed

    @classmethod
    def from_fields(cls, fields: Mapping[str, str]) -> Self:
        """Parse the hash `keys.schedule(uid)`; any of its fields may be missing.

        Raises:
            ValueError, TypeError, KeyError, RecursionError: A field was changed by hand and is unreadable.
        """
        reason = fields.get(ScheduleField.LAST_SKIP_REASON)
        return cls(
            uid=fields.get(ScheduleField.UID, ""),
            name=fields.get(ScheduleField.NAME, ""),
            task=fields.get(ScheduleField.TASK, ""),
            queue=fields.get(ScheduleField.QUEUE, ""),
            spec=dict(json.loads(fields.get(ScheduleField.SPEC, "{}"))),
            suspended=fields.get(ScheduleField.SUSPENDED) == "1",
            runs=int(fields.get(ScheduleField.RUNS, 0)),
            triggered=int(fields.get(ScheduleField.TRIGGERED, 0)),
            backfilled=int(fields.get(ScheduleField.BACKFILLED, 0)),
            missed=int(fields.get(ScheduleField.MISSED, 0)),
            skipped={reason: int(fields[name]) for reason, name in SKIPPED_FIELDS.items() if name in fields},
            last_skip=(reason, _time(fields, ScheduleField.LAST_SKIP_AT)) if reason else None,
            last_due_at=_optional_time(fields, ScheduleField.LAST_DUE_AT),
            outcome=ScheduleOutcome.from_fields(fields),
        )


@dataclass(frozen=True, slots=True)
class NextRuns:
    """One value in the hash `keys.SCHEDULE_NEXT_RUNS`.

    Args:
        times: Times of the next runs in Unix seconds.
        problem: Reason why the schedule does not run; empty if it runs.
    """

    times: tuple[float, ...] = ()
    problem: str = ""

    def to_json(self) -> str:
        """Return the value as it is stored."""
        return json.dumps({"next": self.times, "problem": self.problem})

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """Parse a stored value.

        Raises:
            ValueError, TypeError, KeyError: The value is damaged.
        """
        fields = json.loads(text)
        times = tuple(map(float, fields["next"]))
        if not all(0 <= time <= LATEST_TIME for time in times):
            raise ValueError("a time is not in Unix seconds")
        return cls(times, str(fields["problem"]))


@dataclass(frozen=True, slots=True)
class BackfillInfo:
    """The progress of one backfill.

    Args:
        id: The backfill's id.
        name: `namespace/name` of the schedule.
        start, end: Range of due times in Unix seconds, both inclusive.
        state: `pending`, `running`, `finished` or `refused`.
        total: Number of due times in the range; 0 while the backfill is pending.
        enqueued: Number of messages enqueued so far.
        message: Why it was refused; empty if it was not.
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
    def from_fields(cls, id: str, fields: Mapping[str, str]) -> Self:
        """Parse the hash `keys.backfill(id)`.

        Raises:
            ValueError, KeyError: A field was changed by hand and is unreadable.
        """
        # `running` is not stored, because a scheduler that starts a backfill late must not overwrite the final state
        # that another one has written.
        started = fields[BackfillField.STATE] == "pending" and BackfillField.TOTAL in fields
        return cls(
            id=id,
            name=fields[BackfillField.NAME],
            start=_time(fields, BackfillField.START),
            end=_time(fields, BackfillField.END),
            state="running" if started else fields[BackfillField.STATE],
            total=int(fields.get(BackfillField.TOTAL, 0)),
            enqueued=int(fields[BackfillField.ENQUEUED]),
            message=fields.get(BackfillField.MESSAGE, ""),
        )


def new_backfill(uid: str, name: str, start: float, end: float) -> dict[Any, Any]:
    """Return a new backfill's fields. Its cursor is just before the start of its range.

    Args:
        uid: Uid of the schedule.
        name: `namespace/name` of the schedule.
        start: First moment of the range of due times, in Unix seconds.
        end: Last moment of the range, in Unix seconds.
    """
    return {
        BackfillField.UID: uid,
        BackfillField.NAME: name,
        BackfillField.START: repr(start),
        BackfillField.END: repr(end),
        BackfillField.CURSOR: str(int(start * 1000) - 1),
        BackfillField.STATE: "pending",
        BackfillField.ENQUEUED: "0",
    }
