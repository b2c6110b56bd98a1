"""Bugs that are planted into the product, to prove that the simulation finds such bugs.

A bug replaces text of one source file in memory. This module must be imported, and `plant` called, before the product.
"""

import importlib.machinery
import types
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_ROOT = Path(__file__).parents[2]
_SCHEDULER = "services/scheduler/src/financehub_scheduler/"


@dataclass(frozen=True, slots=True)
class Bug:
    """A bug.

    Args:
        what: What is wrong.
        file: The source file, below the package of the scheduler.
        old: Text of the file.
        new: The text that replaces it.
        is_extended: Whether only the events that `--extended` draws reach it.
    """

    what: str
    file: str
    old: str
    new: str
    is_extended: bool = False

    @property
    def path(self) -> Path:
        """The file."""
        return _ROOT / _SCHEDULER / self.file


BUGS = {
    "fence": Bug(
        "The fence lets the due time pass that was settled last.",
        "redis/lua/enqueue_marks.lua",
        "if schedule.mark >= run.due then return 'already' end",
        "if schedule.mark > run.due then return 'already' end",
    ),
    "registration": Bug(
        "A registration that was sent forgets a newer one that has arrived meanwhile.",
        "core/registration.py",
        "if self._upserts.get(registration.schedule.uid) is registration:",
        "if registration.schedule.uid in self._upserts:",
    ),
    "jitter": Bug(
        "Jitter is charged to the deadline.",
        "catch_up.py",
        "if now - timeline.enqueue_time(due) < window",
        "if now - due < window",
    ),
    "max-runs": Bug(
        "`maxRuns` counts skipped runs.",
        "redis/lua/enqueue_admission.lua",
        "local function skip(schedule, reason)\n",
        "local function skip(schedule, reason)\n  increase(schedule.record, field.runs, 1)\n",
    ),
    "resume": Bug(
        "A scheduler that was cut off during a pause catches up on it.",
        "redis/lua/enqueue_marks.lua",
        "schedule.mark = math.max(schedule.mark, changed_at)",
        "schedule.mark = math.max(schedule.mark, 0)",
    ),
    "edit": Bug(
        "An edit drops the due times that wait for their jitter.",
        "redis/edits.py",
        'if spec.get("suspend") or',
        "if True or",
    ),
    "lost-reply": Bug(
        "A run whose reply was lost is not submitted again.",
        "core/firing.py",
        "                self._planner.put_back(state)\n            raise",
        "                pass\n            raise",
    ),
    "missed-twice": Bug(
        "Two schedulers count the same missed due times.",
        "redis/lua/enqueue_marks.lua",
        "(run.expected and schedule.mark > run.expected)",
        "(run.expected and schedule.mark < run.expected)",
    ),
    "catch-up": Bug(
        "`catchUp: Latest` gives up what is in time.",
        "catch_up.py",
        "chosen = in_time or (newest",
        "chosen = (newest",
    ),
    "buffer-order": Bug(
        "`BufferAll` runs the newest due time first.",
        "redis/lua/buffer.lua",
        "redis.call('rpush', buffered_key(uid), integer(due))",
        "redis.call('lpush', buffered_key(uid), integer(due))",
    ),
    "backlog": Bug(
        "A schedule may have one unfinished run too many.",
        "redis/lua/enqueue_admission.lua",
        "return #waiting < limit",
        "return #waiting <= limit",
    ),
    "data-loss": Bug(
        "After a loss of data, a scheduler forgets what it knows.",
        "core/registration.py",
        "max(registration.since, state.high_water_mark, state.since)",
        "max(registration.since, state.since)",
    ),
    "window": Bug(
        "A late run has its whole window again.",
        "api/schedule.py",
        "late_ms = 0 if window_ms is None else max(0, ready_at_ms - window_ms)",
        "late_ms = 0",
    ),
    "follower": Bug(
        "A follower is due a millisecond before the success.",
        "successes.py",
        "return math.ceil(round(finished_at * 1000, 3)) / 1000",
        "return math.floor(round(finished_at * 1000, 3)) / 1000",
    ),
    "trigger": Bug(
        "A trigger is carried out again.",
        "redis/lua/enqueue_kinds.lua",
        "  redis.call('hdel', keys.triggers, run.fence)\n  return outcome",
        "  return outcome",
    ),
    "backfill": Bug(
        "The cursor of a backfill does not move.",
        "redis/lua/enqueue_kinds.lua",
        "redis.call('hset', backfill, backfill_field.cursor, run.due_text)",
        "redis.call('hset', backfill, backfill_field.cursor, cursor)",
    ),
    "pause": Bug(
        "The script does not look for a pause that the scheduler has not read.",
        "redis/lua/enqueue_marks.lua",
        "return paused[run.uid] and (run.kind == 'due' or run.kind == 'buffered') and 'paused' or nil",
        "return nil",
    ),
    "takeover": Bug(
        "A scheduler takes a due time of another one for settled a second before it is.",
        "core/takeover.py",
        "due_ms <= mark_ms < due_ms + _LATEST_MS",
        "due_ms - 1_000 <= mark_ms < due_ms + _LATEST_MS",
    ),
    "tombstone": Bug(
        "The tombstone of a deleted schedule does not keep its mark.",
        "redis/lua/unregister.lua",
        "if settled then redis.call('hset', record, schedule_field.settled, settled) end",
        "",
    ),
    "deletion": Bug(
        "A late deletion removes a schedule that was created again since.",
        "redis/lua/unregister.lua",
        "if created_at == entry[3] or created_at == entry[4] or created_at <= entry[2] then",
        "if true then",
    ),
    "failover": Bug(
        "After a failover to a replica that was behind, a scheduler adopts the older mark.",
        "core/planner.py",
        "max(state.high_water_mark, before.high_water_mark)",
        "max(state.high_water_mark, 0.0)",
        is_extended=True,
    ),
    "annotation": Bug(
        "A trigger annotation is carried out again whenever it is read.",
        "redis/lua/enqueue_kinds.lua",
        "if redis.call('hget', schedule.record, field.trigger) == run.fence then return 'already' end",
        "redis.call('hget', schedule.record, field.trigger)",
        is_extended=True,
    ),
    "annotation-lost": Bug(
        "A trigger annotation is forgotten if Redis does not answer.",
        "core/annotations.py",
        "        now = self._clock.now()\n        await self._submitter.submit(\n",
        "        now = self._clock.now()\n        self._annotated.clear()\n        await self._submitter.submit(\n",
        is_extended=True,
    ),
    "early": Bug(
        "A run is enqueued 20 ms before its time.",
        "core/planner.py",
        "        fire_at = state.timeline.enqueue_time(due)\n",
        "        fire_at = state.timeline.enqueue_time(due) - 0.02\n",
    ),
    "backfill-end": Bug(
        "A backfill ends before its last run.",
        "core/backfills.py",
        "        if runs:\n            await self._submitter.submit(runs)",
        "        if len(runs) > 1:\n            await self._submitter.submit(runs)",
    ),
    "backfill-clock": Bug(
        "A scheduler whose clock is behind ends a backfill before its range has passed.",
        "core/backfills.py",
        "if not now < end <= now + AHEAD_LIMIT_SECONDS:",
        "if True:",
    ),
    "backfill-stuck": Bug(
        "A scheduler looks at each backfill only once.",
        "core/backfills.py",
        "return self._shares.owns(uid) or before == (uid, cursor)",
        "return before is None",
    ),
    "backfill-deleted": Bug(
        "A backfill of a deleted schedule never ends.",
        "core/backfills.py",
        "if await self._fingerprint(uid) == DELETED:",
        "if False:",
    ),
    "buffered-stuck": Bug(
        "Buffered runs are never released.",
        "core/on_demand.py",
        "        for uid, due_ms in buffered.items():\n            state =",
        "        for uid, due_ms in {}.items():\n            state =",
    ),
    "dropped": Bug(
        "An edit does not count the due times that it gives up.",
        "redis/edits.py",
        "count - len(waiting) if count > MAX_CATCH_UP else 0",
        "0",
    ),
}


def plant(bug: Bug) -> list[tuple[bytes, bytes]]:
    """Plant a bug, and return the texts of Lua scripts that the simulation has to replace.

    Args:
        bug: The bug.
    """
    assert bug.path.read_text().count(bug.old) == 1, f"{bug.path} does not have this text once: {bug.old!r}"
    if bug.path.suffix == ".lua":
        return [(bug.old.encode(), bug.new.encode())]
    loader: Any = importlib.machinery.SourceFileLoader
    original = loader.get_code

    def get_code(self: Any, name: str) -> types.CodeType | None:
        if not str(self.path).endswith(f"financehub_scheduler/{bug.file}"):
            return original(self, name)  # type: ignore[no-any-return]
        text = Path(self.path).read_text().replace(bug.old, bug.new)
        return compile(text, self.path, "exec", dont_inherit=True)

    loader.get_code = get_code
    return []
