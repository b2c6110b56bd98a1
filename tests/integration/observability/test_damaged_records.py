"""Tests that a damaged record of a process, a task, a run or a schedule does not hide the others (D13)."""

import json
from collections.abc import Callable

import pytest
import redis

from financehub_shared.health.processes import ProcessRegistry
from financehub_shared.monitor import TaskMonitor
from financehub_shared.redis import keys
from financehub_shared.schedules import list_schedules, refused_schedules

NOW = 1_800_000_000.0
DAMAGES = ["", "{", "[]", "null", '"x"', "9" * 400, "NaN", b"\xff\xfe", "zombie", '{"next": 1}', "{}", "[" * 100_000]

Read = Callable[[redis.Redis], object]


@pytest.fixture(autouse=True)
def intact_records(redis_client: redis.Redis) -> None:
    """Store an intact record of each kind, and list a second one that the tests damage."""
    process = {"id": "good", "tier": "high", "host": "h", "pid": 1, "started_at": NOW, "heartbeat_at": NOW}
    redis_client.zadd(keys.PROCESSES, {"good": NOW, "bad": NOW})
    redis_client.set(keys.process("good"), json.dumps(process | {"queues": ["high"], "a_newer_field": 1}))
    redis_client.sadd(keys.TASKS, "good", "bad")
    redis_client.hset(keys.task_stats("good"), mapping={"succeeded": 5, "attempts": 5, "attempt_seconds": 10})
    redis_client.zadd(keys.task_recent("good"), {"good": NOW, "bad": NOW})
    redis_client.hset(keys.run("good"), mapping={"state": "succeeded", "task": "good", "summary": "{}"})
    redis_client.zadd(keys.SCHEDULES, {"good": NOW, "bad": NOW})
    for name in ("good", "bad"):
        redis_client.hset(keys.schedule(name), mapping={"uid": name, "name": name, "task": "good"})
        redis_client.hset(keys.SCHEDULE_NEXT_RUNS, name, json.dumps({"next": [NOW], "problem": ""}))
    redis_client.hset(keys.SCHEDULES_REFUSED, "good", json.dumps({"message": "unknown field", "at": NOW}))


@pytest.mark.parametrize(
    ("key", "field", "read"),
    [
        (keys.process("bad"), "", lambda client: ProcessRegistry(client).live()),
        *(
            (keys.task_stats("bad"), field, lambda client: TaskMonitor(client).get_all_stats()["good"])
            for field in ("succeeded", "b7", "attempts", "attempt_seconds", "last_success_at", "last_error")
        ),
        *(
            (keys.run("bad"), field, lambda client: TaskMonitor(client).get_recent_runs("good")[-1:])
            for field in ("state", "summary", "started_at", "attempt", "error")
        ),
        *(
            (keys.schedule("bad"), field, lambda client: list_schedules(client)[-1])
            for field in ("spec", "runs", "last_due_at", "last_skip_reason", "last_run_at")
        ),
        (keys.SCHEDULE_NEXT_RUNS, "bad", lambda client: list_schedules(client)[-1]),
        (keys.SCHEDULES_REFUSED, "bad", lambda client: refused_schedules(client)["good"]),
    ],
)
def test_read_with_a_damaged_record_returns_the_others(redis_client: redis.Redis, key: str, field: str, read: Read):
    """The intact records are returned unchanged, whatever a damaged record contains."""
    before = read(redis_client)
    for damage in DAMAGES:
        if field:
            redis_client.hset(key, field, damage)
        else:
            redis_client.set(key, damage)
        assert read(redis_client) == before, damage
