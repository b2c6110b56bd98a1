"""Tests of triggers and backfills, by annotation and from the command line: each runs once despite crashes."""

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import redis

from financehub_shared.redis import keys
from financehub_shared.redis.schedule_record import BackfillInfo
from financehub_shared.schedules import show_backfill, show_schedule
from support.operator import Tasks, wait_until_ready
from support.schedules import SchedulerProcess, messages
from support.waiting import eventually

Start = Callable[..., SchedulerProcess]
CommandLine = Callable[..., "subprocess.CompletedProcess[str]"]
TRIGGER, BACKFILL = "financehub.io/trigger", "financehub.io/backfill"
#: Half an hour of a schedule that runs every minute, including both ends.
RANGE, RUNS = "2026-01-05T06:00:00Z/2026-01-05T06:30:00Z", 31


@pytest.fixture
def command_line(redis_url: str) -> CommandLine:
    """Run the installed command `financehub` with arguments."""
    command = Path(sys.executable).parent / "financehub"
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("FINANCEHUB_", "REDIS_", "DRAMATIQ_"))}

    def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
        env = clean | {"REDIS_URL": redis_url}
        return subprocess.run([command, *arguments], env=env, capture_output=True, text=True, check=False, timeout=120)

    return run


def count_by_due_time(bodies: Iterable[dict[str, Any]]) -> Counter[str]:
    """Return due time → number of messages."""
    due_times = (message["options"]["due_at"] / 1000 for message in bodies)
    return Counter(datetime.fromtimestamp(due, UTC).isoformat() for due in due_times)


def take_messages(client: "redis.Redis") -> list[dict[str, Any]]:
    """Remove and return all messages of the queue, in one transaction so that none is lost."""
    pipeline = client.pipeline(transaction=True)
    pipeline.hvals("dramatiq:q.msgs")
    pipeline.delete("dramatiq:q", "dramatiq:q.msgs")
    bodies, _ = pipeline.execute()
    return [json.loads(body) for body in bodies]


def annotated_backfill(client: "redis.Redis") -> BackfillInfo | None:
    """Return the backfill that the annotation requests, or None if Redis does not know it yet."""
    uid = show_schedule(client, "demo").uid
    id = client.hget(keys.schedule(uid), "annotated_backfill")
    return show_backfill(client, id.decode()) if isinstance(id, bytes) else None


def has_state(client: "redis.Redis", state: str) -> bool:
    """Whether the backfill that the annotation requests is in the given state."""
    backfill = annotated_backfill(client)
    return backfill is not None and backfill.state == state


def test_trigger_annotation_runs_once_per_value(
    tasks: Tasks, start_operator: Start, redis_client: "redis.Redis"
) -> None:
    """Each annotation value triggers one run. A restart or a second scheduler does not trigger it again."""
    tasks.apply(annotations={TRIGGER: "one"}, schedule="@yearly", concurrencyPolicy="Allow")
    first, _ = wait_until_ready(start_operator()), wait_until_ready(start_operator())
    eventually(lambda: len(messages(redis_client)) == 1, "it runs once")
    first.stop()
    wait_until_ready(start_operator())
    tasks.apply(annotations={TRIGGER: "two"}, schedule="@yearly", concurrencyPolicy="Allow")
    eventually(lambda: len(messages(redis_client)) >= 2, "the new value triggers a run")
    assert show_schedule(redis_client, "demo").triggered == len(messages(redis_client)) == 2


def test_command_line_manages_scheduled_tasks_of_the_cluster(
    tasks: Tasks, start_operator: Start, redis_client: "redis.Redis", command_line: CommandLine
) -> None:
    """`financehub schedules` lists, shows, triggers and backfills a ScheduledTask, even a suspended one."""
    tasks.apply(schedule="@every 1m", suspend=True, concurrencyPolicy="Allow")
    wait_until_ready(start_operator())
    name = f"{tasks.namespace}/demo"
    eventually(lambda: name in command_line("schedules", "list").stdout, "it is listed")
    waits = "financehub: no live worker serves queue 'q'; the {} waits until one starts (start a worker for it)\n"
    done = command_line("schedules", "trigger", name, "--no-wait")
    assert (done.returncode, done.stderr) == (0, waits.format("run"))
    eventually(lambda: len(messages(redis_client)) == 1, "it is triggered")
    done = command_line(*f"schedules backfill {name} --from 2026-01-05T06:00Z --to 2026-01-05T06:30Z --no-wait".split())
    assert (done.returncode, done.stderr) == (0, waits.format("backfill"))
    eventually(lambda: len(messages(redis_client)) == 1 + RUNS, "the range is enqueued")
    assert f"{RUNS}" in command_line("schedules", "show", name).stdout


def test_backfill_of_killed_scheduler_is_continued_by_the_next(
    tasks: Tasks, start_operator: Start, redis_client: "redis.Redis"
) -> None:
    """If a scheduler is killed during a backfill, the next one continues it, and each due time is enqueued once."""
    max_depth = 10
    spec: dict[str, Any] = {
        "schedule": "@every 1m",
        "concurrencyPolicy": "Allow",
        "maxQueueDepth": max_depth,
        "startTime": "2026-01-01T00:00:00Z",
    }
    tasks.apply(annotations={BACKFILL: RANGE}, suspend=True, **spec)
    first = wait_until_ready(start_operator())
    eventually(lambda: len(messages(redis_client)) == max_depth + 1, "the queue is full")
    first.kill()
    second = wait_until_ready(start_operator())
    found = Counter[str]()

    def all_found() -> bool:
        found.update(count_by_due_time(take_messages(redis_client)))
        return found.total() >= RUNS

    eventually(all_found, "the rest is enqueued while the queue drains", within=90)
    assert set(found.values()) == {1}
    assert len(found) == RUNS
    eventually(lambda: has_state(redis_client, "finished"), "it is finished")
    second.stop()
    wait_until_ready(start_operator())
    tasks.apply(annotations={BACKFILL: RANGE}, suspend=False, **(spec | {"schedule": "@yearly"}))
    eventually(lambda: show_schedule(redis_client, "demo").spec["schedule"] == "@yearly", "the edit takes effect")
    assert messages(redis_client) == [], "the same annotation is the same backfill"


def test_backfill_with_too_many_due_times_is_refused(
    tasks: Tasks, start_operator: Start, redis_client: "redis.Redis"
) -> None:
    """A backfill of more than 10,000 due times is refused as a probable mistake, and its record has the reason."""
    too_long = {BACKFILL: "2025-01-01T00:00:00Z/2025-12-01T00:00:00Z"}
    tasks.apply(annotations=too_long, schedule="@every 1m", suspend=True)
    wait_until_ready(start_operator())
    eventually(lambda: has_state(redis_client, "refused"), "it is refused")
    refused = annotated_backfill(redis_client)
    assert refused
    assert "more than 10000 due times" in refused.message
    assert messages(redis_client) == []
