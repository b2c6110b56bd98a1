"""A scheduler of the release before issue 14, beside which a newer one must run while a fleet is updated.

It executes the Lua scripts of that release as they were (`tests/fixtures/releases`), with the payloads that its Python
code sent, and plans as it did. A clone in CI may have no history, so the old code cannot be checked out there.
"""

import json
from pathlib import Path
from typing import Any

import redis

from financehub_scheduler.api.schedule import Schedule
from financehub_shared.redis import keys
from financehub_shared.redis.schedule_record import DEACTIVATED, NextRuns, ScheduleField

_SCRIPTS = Path(__file__).parents[1] / "fixtures" / "releases" / "before-issue-14"
_ACTIVE = ["queued", "retrying", "running"]
#: Milliseconds by which the clock of the test may be ahead of that of Redis: ten years.
_AHEAD_MS = 10 * 365 * 86_400_000


class EarlierScheduler:
    """A scheduler of the earlier release with one schedule.

    Args:
        client: The queue Redis.
    """

    def __init__(self, client: "redis.Redis") -> None:
        self._client = client
        self._register = client.register_script((_SCRIPTS / "register.lua").read_bytes())
        self._enqueue = client.register_script((_SCRIPTS / "enqueue.lua").read_bytes())
        self._schedule: Schedule | None = None
        self._mark = 0.0

    def load(self, schedule: Schedule, now: float) -> str:
        """Register a schedule, and return the result: `created`, `changed` or `known`.

        Args:
            schedule: The schedule.
            now: Unix seconds.
        """
        context = {"unclaimed": 90.0, "ahead_limit": _AHEAD_MS, "now": int(now * 1000)}
        entry = {
            "uid": schedule.uid,
            "name": schedule.name,
            "fingerprint": schedule.fingerprint,
            "spec": schedule.spec_json,
            "task": schedule.task,
            "queue": schedule.queue,
            "suspended": int(schedule.suspended),
            "since": int(now * 1000),
            "keep_known_state": True,
        }
        replies: Any = self._register(args=[json.dumps(context), json.dumps([entry])])
        result, mark, changed_at, _ = replies[0]
        # In that release, a due time before an edit ran if its jitter ended after it.
        self._mark = max(int(mark) / 1000, float(changed_at) - schedule.recurrence.offset)
        self._schedule = schedule
        return str(result.decode())

    def refuse(self, uid: str) -> None:
        """Deactivate a schedule, because its document has a field that this release does not know."""
        self._schedule = None
        self._client.hset(keys.schedule(uid), ScheduleField.FINGERPRINT, DEACTIVATED)
        self._client.hdel(keys.SCHEDULES_BUFFERED, uid)
        problem = NextRuns(problem="spec.exclude: Extra inputs are not permitted").to_json()
        self._client.hset(keys.SCHEDULE_NEXT_RUNS, uid, problem)

    def step(self, now: float) -> list[str]:
        """Submit what is due, and return the outcomes.

        Args:
            now: Unix seconds.
        """
        outcomes: list[str] = []
        while (schedule := self._schedule) is not None:
            due = schedule.recurrence.next_after(self._mark)
            if due is None or due + schedule.recurrence.offset > now:
                break
            outcomes.append(outcome := self._submit(schedule, due, now))
            if outcome in {"changed", "deleted", "unknown", "paused", "exhausted"}:
                self._schedule = None
            elif outcome.startswith("moved:"):
                self._mark = max(self._mark, int(outcome.partition(":")[2]) / 1000)
            else:
                self._mark = due
        return outcomes

    def _submit(self, schedule: Schedule, due: float, now: float) -> str:
        due_ms, id = round(due * 1000), schedule.message_id(str(round(due * 1000)))
        context = {"run_ttl": 3_600, "ahead_limit": _AHEAD_MS, "active_limit": 172_800_000, "skipped_ttl": 3_600}
        context |= {"max_backlog": 100, "max_backlog_with_depth": 1_000, "now": int(now * 1000)}
        entry: dict[str, Any] = {
            "kind": "due",
            "uid": schedule.uid,
            "fingerprint": schedule.fingerprint,
            "due": due_ms,
            "policy": schedule.policy,
            "task": schedule.task,
            "queue": schedule.queue,
            "schedule": schedule.name,
            "id": id,
        }
        if offset := round(schedule.recurrence.offset * 1000):
            entry["offset"] = offset
        if schedule.max_runs:
            entry["max_runs"] = schedule.max_runs
        message = schedule.message(id, due_ms, int(now * 1000))
        replies: Any = self._enqueue(args=[json.dumps(context | {"active": _ACTIVE}), json.dumps([entry]), message])
        return str(replies[0].decode())
