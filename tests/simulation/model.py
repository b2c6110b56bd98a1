"""What the model knows: schedules, runs, requests. All times are Unix milliseconds."""

from dataclasses import dataclass, field
from typing import Any

from simulation.due_times import DueTimes

#: The queue of all simulated schedules.
QUEUE = "q"


class ViolationError(AssertionError):
    """An invariant does not hold."""


@dataclass(slots=True)
class Run:
    """A message that was enqueued.

    Args:
        id: Its message id.
        uid: Its schedule.
        kind: Why it was enqueued.
        due: Its due time.
        at: Time of Redis at its enqueue.
        state: `queued`, `fetched`, `retrying` or `ended`.
        is_bounded: Whether it counts for the limit of unfinished runs.
    """

    id: str
    uid: str
    kind: str
    due: int
    at: int
    state: str = "queued"
    is_bounded: bool = False
    ends_at: int = 0
    attempt: int = 1


@dataclass(slots=True)
class Backfill:
    """A backfill.

    Args:
        uid: Its schedule.
        cursor: Its newest due time that was enqueued, or the time before its range.
        end: The end of its range, inclusive.
        is_ended: Whether it has ended.
    """

    uid: str
    cursor: int
    end: int
    is_ended: bool = False


@dataclass(slots=True)
class Counters:
    """The counters of a schedule record, by the names of its fields."""

    runs: int = 0
    missed: int = 0
    skipped_overlap: int = 0
    skipped_backlog: int = 0
    triggered: int = 0
    backfilled: int = 0
    ended: int = 0
    failures: int = 0


@dataclass(slots=True)
class Schedule:
    """A schedule as Redis should have it.

    Args:
        uid: Its uid.
        name: `namespace/name`.
        spec: The registered spec.
        fingerprint: Its fingerprint; `deleted` or `deactivated` as in Redis.
        offset: Its jitter.
        since: Time of its last change or resumption.
        mark: Its newest settled due time.
        pending: Due times up to `since` that still run.
        buffered: Due times of runs that wait for the previous one.
        last_id: The run that was enqueued last.
        counters: The counters.
        failing: Number of its runs that failed in a row.
        created_at: Time of its creation.
        created_in: Number of changes of the source that the scheduler knew that has created it.
        trigger: Value of the trigger annotation that was carried out last.
    """

    uid: str
    name: str
    spec: dict[str, Any]
    fingerprint: str
    offset: int
    since: int
    mark: int
    pending: list[int] = field(default_factory=list)
    buffered: list[int] = field(default_factory=list)
    last_id: str = ""
    counters: Counters = field(default_factory=Counters)
    failing: int = 0
    created_at: int = 0
    created_in: int = 0
    trigger: str = ""

    @property
    def is_live(self) -> bool:
        return self.fingerprint not in {"deleted", "deactivated"}

    @property
    def due_times(self) -> DueTimes | None:
        return DueTimes.of(self.spec)

    @property
    def window(self) -> int | None:
        seconds = self.spec.get("startingDeadlineSeconds")
        return None if seconds is None else seconds * 1000

    @property
    def policy(self) -> str:
        return str(self.spec.get("concurrencyPolicy", "Forbid"))

    @property
    def is_exhausted(self) -> bool:
        return self.spec.get("maxRuns") is not None and self.counters.runs >= self.spec["maxRuns"]

    def enqueue_time(self, due: int) -> int:
        """Return when a due time is to be enqueued: after its jitter, and not before the last change."""
        return max(due + self.offset, self.since)
