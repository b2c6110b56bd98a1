"""The one way from a due time to a message: batches of runs, one Lua script each."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any

from redis.asyncio import Redis

from financehub_scheduler.api.schedule import Schedule
from financehub_shared.monitor.states import ACTIVE
from financehub_shared.redis import keys
from financehub_shared.redis.queue_keys import NAMESPACE

#: A run whose record says it waits for a retry is no longer taken for active after this: a record that nobody
#: finishes must not block its schedule for ever, and no time limit and retry delay together are longer.
_ACTIVE_LIMIT_MS = 2 * 86_400_000
#: A due time this far ahead of Redis's own clock is not believed: servers that keep their time are within a second.
AHEAD_LIMIT_SECONDS = 60.0
#: Messages a backfill may keep in the queue where the schedule sets no `maxQueueDepth`.
BACKFILL_QUEUE_DEPTH = 100


@dataclass(frozen=True, slots=True)
class Run:
    """One run to enqueue, or due times to give up.

    Args:
        schedule: whose run.
        kind: `due`, `buffered`, `annotation`, `request` or `backfill`; decides the fence.
        due: due time, Unix seconds.
        fence: trigger value, request id or backfill id; empty for the others.
        missed: due times given up before this one.
        expected: high-water mark (seconds) that `missed` was counted from.
        fire: False: only move the mark to `due`.
        refused: why a request is not granted; empty: it is.
    """

    schedule: Schedule
    kind: str
    due: float
    fence: str = ""
    missed: int = 0
    expected: float | None = None
    fire: bool = True
    refused: str = ""
    #: Deterministic: from the schedule's uid and the occasion.
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


@dataclass(frozen=True, slots=True)
class Parcel:
    """A run as enqueue.lua reads it; made ahead of time, so that a burst only has to be sent.

    Args:
        run: the run.
        entry: JSON object.
        message: encoded message; empty to only move the mark.
    """

    run: Run
    entry: str
    message: str


def pack(run: Run, ready_at: float) -> Parcel:
    """Encode a run.

    Args:
        run: the run.
        ready_at: when its message becomes ready, Unix seconds; now, or the time it will be enqueued at.
    """
    schedule, due_ms = run.schedule, round(run.due * 1000)
    # whoever triggers a run by hand has seen the queue, or does not care
    depth = None if run.kind in {"annotation", "request"} else schedule.max_queue_depth
    if run.kind == "backfill" and depth is None:
        depth = BACKFILL_QUEUE_DEPTH
    entry: dict[str, Any] = {
        "kind": run.kind,
        "uid": schedule.uid,
        "fingerprint": schedule.fingerprint,
        "due": due_ms,
        "policy": schedule.policy,
        "task": schedule.task,
        "queue": schedule.queue,
        "schedule": schedule.name,
        "id": run.message_id,
    }
    # left out where they say nothing: Redis reads a thousand of these while it serves nobody else
    expected = None if run.expected is None else round(run.expected * 1000)
    rare = {"fence": run.fence, "missed": run.missed, "max_runs": schedule.max_runs, "refused": run.refused}
    entry |= {name: value for name, value in rare.items() if value}
    entry |= {name: value for name, value in {"max_depth": depth, "expected": expected}.items() if value is not None}
    message = schedule.message(run.message_id, due_ms, int(ready_at * 1000)) if run.fire else ""
    return Parcel(run, json.dumps(entry, separators=(",", ":")), message)


class Enqueuer:
    """Carries runs to Redis.

    Args:
        client: Redis of the queues.
        run_ttl: seconds a run's record is kept.
        ahead_limit: seconds by which a due time may be ahead of Redis's own clock.
    """

    def __init__(self, client: "Redis", run_ttl: int, ahead_limit: float = AHEAD_LIMIT_SECONDS) -> None:
        scripts = files(__package__).joinpath("lua")
        self._script = client.register_script(scripts.joinpath("enqueue.lua").read_bytes())
        self._book = client.register_script(scripts.joinpath("book.lua").read_bytes())
        self._context = {
            "namespace": NAMESPACE,
            "run_ttl": run_ttl,
            "ahead_limit": ahead_limit * 1000,
            "active_limit": _ACTIVE_LIMIT_MS,
            "active": sorted(ACTIVE),
            **key_patterns(),
        }

    async def submit(self, parcels: Sequence[Parcel], now: float) -> list[str]:
        """Enqueue a batch atomically; asking again is harmless.

        Args:
            parcels: runs, those of one schedule ascending by due time; up to some hundreds.
            now: Unix seconds.

        Returns:
            One verdict per run: `enqueued`, `already`, `overlap`, `backlog`, `refused`, `buffered`, `missed`, `wait`,
            `exhausted`, `moved:<mark ms>`, `ahead:<Redis's time ms>`, `changed`, `deleted` or `unknown`.

        Raises:
            redis.RedisError: Redis did not answer or refused; whether the batch was carried out is not known.
        """
        context = json.dumps({**self._context, "now": int(now * 1000)}, separators=(",", ":"))
        entries = f"[{','.join(parcel.entry for parcel in parcels)}]"
        verdicts: list[bytes] = await self._script(args=[context, entries, *(parcel.message for parcel in parcels)])
        return [verdict.decode() for verdict in verdicts]

    async def book(self, runs: Sequence[tuple[Run, float]]) -> None:
        """Record runs that were enqueued, for whoever looks at them before a worker starts them.

        Apart from `submit`, so that a burst does not wait for it. Should it never come, the worker makes the record.

        Args:
            runs: each with the time it was enqueued, Unix seconds.

        Raises:
            redis.RedisError: Redis did not answer or refused; asking again is harmless.
        """
        entries = [
            {
                "uid": run.schedule.uid,
                "id": run.message_id,
                "task": run.schedule.task,
                "queue": run.schedule.queue,
                "schedule": run.schedule.name,
                "due": round(run.due * 1000),
                "at": f"{at:.3f}",
            }
            for run, at in runs
        ]
        await self._book(args=[json.dumps(self._context), json.dumps(entries)])


def key_patterns() -> dict[str, str]:
    """The keys that the scripts use, `%s` for the id."""
    return {
        "run": keys.run("%s"),
        "schedule": keys.schedule("%s"),
        "recent": keys.schedule_recent("%s"),
        "backfill": keys.backfill("%s"),
        "marks": keys.HIGH_WATER_MARKS,
        "schedules": keys.SCHEDULES,
        "names": keys.SCHEDULE_NAMES,
        "buffered": keys.SCHEDULES_BUFFERED,
        "outlook": keys.SCHEDULE_OUTLOOK,
        "triggers": keys.SCHEDULE_TRIGGERS,
        "touched": keys.SCHEDULES_TOUCHED,
        "failing": keys.SCHEDULES_FAILING,
    }
