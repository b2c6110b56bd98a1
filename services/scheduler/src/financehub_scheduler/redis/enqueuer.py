"""Turns due times into messages: a Lua script enqueues a batch of runs, and never enqueues a run twice."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from typing import Any, Literal

from redis.asyncio import Redis

from financehub_scheduler.api.schedule import Schedule
from financehub_scheduler.redis.lua_scripts import load_script
from financehub_shared.core.durations import DAY_SECONDS
from financehub_shared.monitor.run_state import ACTIVE
from financehub_shared.redis.key_types import arepaired
from financehub_shared.redis.schedule_keys import schedule_types
from financehub_shared.schedules.requests import BACKFILL_QUEUE_DEPTH

#: A run whose record says `retrying` no longer counts as active this long after its first enqueue, because a record
#: that no worker finishes must not block its schedule forever. Retries usually wait for minutes and end much earlier.
#: If an upstream repeatedly requests waits of up to a day (`LONGEST_RETRY_AFTER`), the run takes longer, and the
#: schedule's next run may overlap with its last retries.
_ACTIVE_LIMIT_MS = 2 * DAY_SECONDS * 1000
#: Redis rejects a due time that is this far ahead of its own clock. The clocks of synchronized servers differ by less
#: than a second.
AHEAD_LIMIT_SECONDS = 60.0
#: Maximum number of a schedule's unfinished runs under `concurrencyPolicy: Allow` and `Replace`, unless it sets
#: `maxQueueDepth`. The setting `max_backlog` has the reason.
MAX_BACKLOG = 100
#: Maximum number of them if the schedule sets a higher `maxQueueDepth`. The author of a schedule must not be able
#: to turn the limit off. Counting 1,000 runs takes Redis about 1 ms.
MAX_BACKLOG_WITH_DEPTH = 1_000
#: Seconds for which the record of a run is kept that was skipped or replaced in the queue. The client that requested it
#: reads it within seconds, and a schedule that is due each second has at most 3,600 of them.
_SKIPPED_TTL = 3_600

#: The reason for a run. It determines which fence prevents the run from being enqueued twice.
RunKind = Literal["due", "buffered", "annotation", "request", "backfill"]


@dataclass(frozen=True, slots=True)
class RunSubmission:
    """A submission to enqueue.lua: one run of a schedule, of any kind, or due times to give up.

    Args:
        schedule: The schedule.
        kind: The reason for the run.
        due: Due time, Unix seconds.
        fence: Trigger value, request id or backfill id; empty for due and buffered runs.
        missed: Number of due times given up before this one.
        expected: High-water mark that `missed` was counted from, Unix seconds.
        enqueue_at: Time at which a due run was to be enqueued, Unix seconds. Its window of `startingDeadlineSeconds`
            begins then. None for other runs, whose window begins when they are enqueued.
        since: Time of the change of the schedule since which the due times were planned, Unix seconds; None if the
            high-water mark is later.
        with_message: False to move the high-water mark to `due` without enqueueing a message.
        refused: Reason why a requested run is not allowed; empty if it is.
    """

    schedule: Schedule
    kind: RunKind
    due: float
    fence: str = ""
    missed: int = 0
    expected: float | None = None
    enqueue_at: float | None = None
    since: float | None = None
    with_message: bool = True
    refused: str = ""
    #: The id is derived from the schedule's uid and the occasion, so that every scheduler computes the same one.
    message_id: str = field(init=False)

    def __post_init__(self) -> None:
        due_ms = round(self.due * 1000)
        match self.kind:
            case "due" | "buffered":
                occasion = str(due_ms)
            case "backfill":
                occasion = f"backfill {self.fence} {due_ms}"
            case _:
                occasion = f"{self.kind} {self.fence}"
        object.__setattr__(self, "message_id", self.schedule.message_id(occasion))

    def lag_seconds(self, at: float) -> float | None:
        """Return the seconds from the planned enqueue time to the actual one; None for a run that is not planned.

        Args:
            at: Time at which the run was enqueued, Unix seconds.
        """
        return None if self.enqueue_at is None else round(at - self.enqueue_at, 4)


@dataclass(frozen=True, slots=True)
class EncodedRun:
    """A run that only has to be sent. Its texts are written when it is sent, because they would take 600 bytes.

    Args:
        run: The run.
        shape: JSON object of the fields that it shares with other runs. Redis parses each shape once per batch.
        ready_at_ms: Time at which its message becomes ready, Unix milliseconds.
    """

    run: RunSubmission
    shape: str
    ready_at_ms: int

    @property
    def head(self) -> str:
        """JSON texts that no other run shares: uid, fingerprint, due time and id."""
        run = self.run
        schedule = run.schedule
        # Nothing needs to be escaped: the uid is a UUID, and the fingerprint consists of hexadecimal digits.
        return f'"{schedule.uid}","{schedule.fingerprint}","{round(run.due * 1000)}","{run.message_id}"'

    @property
    def message(self) -> str:
        """Encoded message; an empty one only moves the high-water mark."""
        run = self.run
        if not run.with_message:
            return ""
        window_ms = None if run.enqueue_at is None else int(run.enqueue_at * 1000)
        return run.schedule.message(run.message_id, round(run.due * 1000), self.ready_at_ms, window_ms)


class EnqueueOutcome(StrEnum):
    """Redis's reply for one run."""

    ENQUEUED = "enqueued"
    #: The due time was settled before, or the request was carried out before, usually by another scheduler.
    ALREADY = "already"
    #: The three reasons to skip a run.
    OVERLAP = "overlap"
    BACKLOG = "backlog"
    REFUSED = "refused"
    #: The run waits for the previous one under `concurrencyPolicy: BufferOne` or `BufferAll`.
    BUFFERED = "buffered"
    #: The high-water mark was moved without a message.
    MISSED = "missed"
    #: A buffered run or a backfill has to wait for the previous run or for room in the queue.
    WAIT = "wait"
    #: The schedule is paused.
    PAUSED = "paused"
    #: `maxRuns` is reached.
    EXHAUSTED = "exhausted"
    #: Another scheduler has moved the high-water mark, so the plan for missed runs is void.
    MOVED = "moved"
    #: The due time is far ahead of Redis's clock.
    AHEAD = "ahead"
    #: Redis has another fingerprint: another scheduler has registered a newer spec.
    CHANGED = "changed"
    #: The schedule or the backfill was deleted.
    DELETED = "deleted"
    #: Redis does not know the schedule.
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class EnqueueResult:
    """Redis's reply for one run, with its timestamp.

    Args:
        outcome: The enqueue outcome.
        time: High-water mark in Redis if the outcome is `moved`, Redis's own time if it is `ahead`; Unix seconds. The
            mark also if it was read instead of submitting the run, which then is `already`.
    """

    outcome: EnqueueOutcome
    time: float = 0.0


#: Most replies have no timestamp, so these results are shared.
_TIMELESS = {outcome.encode(): EnqueueResult(outcome) for outcome in EnqueueOutcome}


def parse_result(reply: bytes) -> EnqueueResult:
    """Parse one reply of enqueue.lua: an outcome, followed by `:<Unix ms>` for `moved` and `ahead`."""
    if known := _TIMELESS.get(reply):
        return known
    outcome, _, milliseconds = reply.decode().partition(":")
    return EnqueueResult(EnqueueOutcome(outcome), int(milliseconds) / 1000)


def encode(run: RunSubmission, ready_at: float) -> EncodedRun:
    """Encode a run for enqueue.lua.

    Args:
        run: The run.
        ready_at: Time at which its message becomes ready, Unix seconds: now, or the time of the planned enqueue.
    """
    schedule = run.schedule
    # Triggers ignore `maxQueueDepth`, because the user wants the run now, regardless of the backlog.
    depth = None if run.kind in {"annotation", "request"} else schedule.max_queue_depth
    rare: dict[str, Any] = {"fence": run.fence, "missed": run.missed, "refused": run.refused}
    rare["since"] = run.since and round(run.since * 1000)
    found = {name: value for name, value in rare.items() if value}
    if run.expected is not None:
        found["expected"] = round(run.expected * 1000)
    if run.kind in {"annotation", "request"}:
        # Only these write a run record, if they are skipped.
        found |= {"task": schedule.task, "schedule": schedule.name}
    shape = _common_shape(run.kind, schedule.policy, schedule.queue, schedule.max_runs, depth)
    return EncodedRun(run, _extended(shape, found), int(ready_at * 1000))


@lru_cache(maxsize=4_096)
def _common_shape(kind: RunKind, policy: str, queue: str, max_runs: int | None, max_depth: int | None) -> str:
    """Return the fields that many runs share, as a JSON object."""
    # Fields with default values are left out, because Redis serves no other client while it parses them.
    limits = {"max_runs": max_runs, "max_depth": max_depth}
    given = {name: value for name, value in limits.items() if value is not None}
    return _json({"kind": kind, "policy": policy, "queue": queue, **given})


def _extended(shape: str, fields: Mapping[str, Any]) -> str:
    """Return a JSON object with further fields."""
    return f"{shape[:-1]},{_json(fields)[1:]}" if fields else shape


#: `json.dumps` would make a new encoder for each call.
_json = json.JSONEncoder(separators=(",", ":")).encode


class Enqueuer:
    """Sends runs to Redis.

    Args:
        client: The queue Redis.
        run_ttl: Seconds for which a run record is kept.
        ahead_limit: Seconds by which a due time may be ahead of Redis's own clock.
        max_backlog: Maximum number of a schedule's unfinished runs under `concurrencyPolicy: Allow` and `Replace`.
    """

    def __init__(
        self,
        client: "Redis",
        run_ttl: int,
        ahead_limit: float = AHEAD_LIMIT_SECONDS,
        max_backlog: int = MAX_BACKLOG,
    ) -> None:
        self._client = client
        self._enqueue = client.register_script(load_script("enqueue"))
        self._record_runs = client.register_script(load_script("record_runs"))
        self._run_ttl = run_ttl
        self._context = {
            "ahead_limit": ahead_limit * 1000,
            "active_limit": _ACTIVE_LIMIT_MS,
            "skipped_ttl": min(run_ttl, _SKIPPED_TTL),
            "max_backlog": max_backlog,
            "max_backlog_with_depth": max(max_backlog, MAX_BACKLOG_WITH_DEPTH),
            "active": sorted(ACTIVE),
            "backfill_depth": BACKFILL_QUEUE_DEPTH,
        }

    async def submit(self, runs: Sequence[EncodedRun], now: float) -> list[EnqueueResult]:
        """Enqueue a batch atomically. Submitting the same batch again does no harm.

        Args:
            runs: Up to a few hundred runs; those of one schedule in ascending order of their due times.
            now: Unix seconds.

        Returns:
            One result per run.

        Raises:
            redis.RedisError: Redis did not reply or returned an error. Whether it executed the batch is unknown.
        """
        #: Shape → its number, from 1.
        shapes: dict[str, int] = {}
        heads = ",".join([f"{run.head},{shapes.setdefault(run.shape, len(shapes) + 1)}" for run in runs])
        context = f'{_json({**self._context, "now": int(now * 1000)})[:-1]},"shapes":[{",".join(shapes)}]}}'
        replies: list[bytes] = await arepaired(
            self._client,
            lambda: schedule_types({run.run.schedule.uid for run in runs}, {run.run.schedule.queue for run in runs}),
            lambda: self._enqueue(args=[context, f"[{heads}]", *[run.message for run in runs]]),
        )
        return [parse_result(reply) for reply in replies]

    async def record_enqueued_runs(self, runs: Sequence[tuple[RunSubmission, float]]) -> None:
        """Record enqueued runs, so that listings show them before workers start them.

        This is separate from `submit`, so that a burst does not wait for it. If it does not happen, the workers create
        the records.

        Args:
            runs: Each run with its enqueue time, Unix seconds.

        Raises:
            redis.RedisError: Redis did not reply or returned an error. Recording the same runs again does no harm.
        """
        texts: list[str] = []
        for run, at in runs:
            schedule = run.schedule
            texts += (schedule.uid, run.message_id, schedule.task, schedule.queue, schedule.name)
            texts += (f"{run.due:.3f}", f"{at:.3f}")
        await arepaired(
            self._client,
            lambda: schedule_types(run.schedule.uid for run, _ in runs),
            lambda: self._record_runs(args=[self._run_ttl, _json(texts)]),
        )
