"""The one way from a due time to a message: batches of runs, one Lua script each."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from redis.asyncio import Redis

from financehub_scheduler.schedule import Schedule
from financehub_shared.monitor.states import ACTIVE
from financehub_shared.store import keys

#: A run whose record says it waits for a retry is no longer taken for active after this: a record that nobody
#: finishes must not block its schedule for ever, and no time limit and retry delay together are longer.
_ACTIVE_LIMIT_MS = 2 * 86_400_000
#: dramatiq's default; workers use it too.
NAMESPACE = "dramatiq"
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
    """

    schedule: Schedule
    kind: str
    due: float
    fence: str = ""
    missed: int = 0
    expected: float | None = None
    fire: bool = True

    @property
    def message_id(self) -> str:
        """Deterministic: from the schedule's uid and the occasion."""
        due_ms = round(self.due * 1000)
        match self.kind:
            case "due" | "buffered":
                occasion = str(due_ms)
            case "backfill":
                occasion = f"backfill {self.fence} {due_ms}"
            case _:
                occasion = f"{self.kind} {self.fence}"
        return self.schedule.message_id(occasion)

    def encode(self, now_ms: int) -> dict[str, Any]:
        """What enqueue.lua reads."""
        schedule = self.schedule
        due_ms = round(self.due * 1000)
        depth = -1 if schedule.max_queue_depth is None else schedule.max_queue_depth
        if self.kind == "backfill" and depth < 0:
            depth = BACKFILL_QUEUE_DEPTH
        entry: dict[str, Any] = {
            "kind": self.kind,
            "uid": schedule.uid,
            "fingerprint": schedule.fingerprint,
            "due": due_ms,
            "fence": self.fence,
            "missed": self.missed,
            "policy": schedule.policy,
            # whoever triggers a run by hand has seen the queue, or does not care
            "max_depth": -1 if self.kind in {"annotation", "request"} else depth,
            "max_runs": schedule.max_runs or 0,
            "task": schedule.task,
            "queue": schedule.queue,
            "schedule": schedule.name,
        }
        if self.fire:
            entry["id"] = message_id = self.message_id
            entry["message"] = schedule.message(message_id, due_ms, now_ms)
        if self.expected is not None:
            entry["expected"] = round(self.expected * 1000)
        return entry


class Enqueuer:
    """Carries runs to Redis.

    Args:
        client: Redis of the queues.
        run_ttl: seconds a run's record is kept.
    """

    def __init__(self, client: "Redis", run_ttl: int) -> None:
        self._script = client.register_script(files(__package__).joinpath("lua/enqueue.lua").read_bytes())
        self._context = {
            "namespace": NAMESPACE,
            "run_ttl": run_ttl,
            "active_limit": _ACTIVE_LIMIT_MS,
            "active": sorted(ACTIVE),
            **key_patterns(),
        }

    async def submit(self, runs: Sequence[Run], now: float) -> list[str]:
        """Enqueue a batch atomically; asking again is harmless.

        Args:
            runs: runs of one schedule ascending by due time.
            now: Unix seconds.

        Returns:
            One verdict per run: `enqueued`, `already`, `overlap`, `backlog`, `buffered`, `missed`, `wait`, `exhausted`,
            `moved:<mark ms>`, `changed`, `deleted` or `unknown`.

        Raises:
            redis.RedisError: Redis did not answer or refused; whether the batch was carried out is not known.
        """
        now_ms = int(now * 1000)
        context = json.dumps({**self._context, "now": now_ms}, separators=(",", ":"))
        batch = json.dumps([run.encode(now_ms) for run in runs], separators=(",", ":"))
        verdicts: list[bytes] = await self._script(args=[context, batch])
        return [verdict.decode() for verdict in verdicts]


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
    }
