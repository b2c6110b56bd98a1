"""Triggers and backfills of ScheduledTasks: by annotation and by command line, once each, whoever dies meanwhile."""

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
from financehub_shared.schedules import BackfillInfo, show_backfill, show_schedule
from support.operator import Tasks, ready
from support.schedules import SchedulerProcess, eventually, messages

Start = Callable[..., SchedulerProcess]
Shell = Callable[..., "subprocess.CompletedProcess[str]"]
TRIGGER, BACKFILL = "financehub.io/trigger", "financehub.io/backfill"
#: Half an hour of a minutely schedule, both ends included.
RANGE, RUNS = "2026-01-05T06:00:00Z/2026-01-05T06:30:00Z", 31


@pytest.fixture
def tasks(crd_installed: Any, namespace: str) -> Tasks:
    """The ScheduledTasks of this test."""
    return Tasks(crd_installed, namespace)


@pytest.fixture
def shell(redis_url: str) -> Shell:
    """The installed command line."""
    command = Path(sys.executable).parent / "financehub"
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("FINANCEHUB_", "REDIS_", "DRAMATIQ_"))}

    def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
        env = clean | {"REDIS_URL": redis_url}
        return subprocess.run([command, *arguments], env=env, capture_output=True, text=True, check=False, timeout=60)

    return run


def stamps(bodies: Iterable[dict[str, Any]]) -> Counter[str]:
    """Due time → messages."""
    dues = (message["options"]["due_at"] / 1000 for message in bodies)
    return Counter(datetime.fromtimestamp(due, UTC).isoformat() for due in dues)


def take(client: "redis.Redis") -> list[dict[str, Any]]:
    """Empty the queue; its messages. At once: one that came between a look and a deletion would be lost."""
    pipeline = client.pipeline(transaction=True)
    pipeline.hvals("dramatiq:q.msgs")
    pipeline.delete("dramatiq:q", "dramatiq:q.msgs")
    bodies, _ = pipeline.execute()
    return [json.loads(body) for body in bodies]


def backfill(client: "redis.Redis") -> BackfillInfo | None:
    """The backfill that the annotation asks for, as soon as it is known."""
    uid = show_schedule(client, "demo").uid
    id = client.hget(keys.schedule(uid), "annotated_backfill")
    return show_backfill(client, id.decode()) if isinstance(id, bytes) else None


def test_each_new_value_of_the_annotation_triggers_once(
    tasks: Tasks, operator: Start, redis_client: "redis.Redis"
) -> None:
    """A value runs the task once: not again after a restart, not by a second scheduler, but again when it changes."""
    tasks.apply(annotations={TRIGGER: "one"}, schedule="@yearly", concurrencyPolicy="Allow")
    first, _ = ready(operator()), ready(operator())
    eventually(lambda: len(messages(redis_client)) == 1, "it ran once")
    first.stop()
    ready(operator())
    tasks.apply(annotations={TRIGGER: "two"}, schedule="@yearly", concurrencyPolicy="Allow")
    eventually(lambda: len(messages(redis_client)) >= 2, "the new value runs it")
    assert show_schedule(redis_client, "demo").triggered == len(messages(redis_client)) == 2


def test_the_command_line_triggers_what_is_in_the_cluster(
    tasks: Tasks, operator: Start, redis_client: "redis.Redis", shell: Shell
) -> None:
    """`financehub schedules` lists, shows, triggers and backfills ScheduledTasks as it does files, suspended or not."""
    tasks.apply(schedule="@every 1m", suspend=True, concurrencyPolicy="Allow")
    ready(operator())
    name = f"{tasks.namespace}/demo"
    eventually(lambda: name in shell("schedules", "list").stdout, "it is listed")
    done = shell("schedules", "trigger", name, "--no-wait")
    assert (done.returncode, done.stderr) == (0, "")
    eventually(lambda: len(messages(redis_client)) == 1, "it is triggered")
    done = shell(*f"schedules backfill {name} --from 2026-01-05T06:00Z --to 2026-01-05T06:30Z --no-wait".split())
    assert (done.returncode, done.stderr) == (0, "")
    eventually(lambda: len(messages(redis_client)) == 1 + RUNS, "the range is run")
    assert f"{RUNS}" in shell("schedules", "show", name).stdout


def test_a_backfill_survives_its_scheduler(tasks: Tasks, operator: Start, redis_client: "redis.Redis") -> None:
    """Killed in its midst, a backfill is taken up by the next scheduler: each due time once; and it ends."""
    room = 10
    spec: dict[str, Any] = {
        "schedule": "@every 1m",
        "concurrencyPolicy": "Allow",
        "maxQueueDepth": room,
        "startTime": "2026-01-01T00:00:00Z",
    }
    tasks.apply(annotations={BACKFILL: RANGE}, suspend=True, **spec)
    first = ready(operator())
    eventually(lambda: len(messages(redis_client)) == room + 1, "the queue is as full as it may be")
    first.kill()
    second = ready(operator())
    found = Counter[str]()

    def drained() -> bool:
        found.update(stamps(take(redis_client)))
        return found.total() >= RUNS

    eventually(drained, "the rest comes as there is room", within=30)
    assert set(found.values()) == {1}
    assert len(found) == RUNS
    eventually(lambda: (it := backfill(redis_client)) and it.state == "finished", "it is over")
    second.stop()
    ready(operator())
    tasks.apply(annotations={BACKFILL: RANGE}, suspend=False, **(spec | {"schedule": "@yearly"}))
    eventually(lambda: show_schedule(redis_client, "demo").spec["schedule"] == "@yearly", "an edit is taken over")
    assert messages(redis_client) == [], "the same annotation is the same backfill"


def test_a_backfill_that_asks_too_much_is_refused(tasks: Tasks, operator: Start, redis_client: "redis.Redis") -> None:
    """More than ten thousand due times are more likely a slip: nothing runs, and the record says why."""
    wish = {BACKFILL: "2025-01-01T00:00:00Z/2025-12-01T00:00:00Z"}
    tasks.apply(annotations=wish, schedule="@every 1m", suspend=True)
    ready(operator())
    eventually(lambda: (it := backfill(redis_client)) and it.state == "refused", "it is refused")
    refused = backfill(redis_client)
    assert refused
    assert "more than 10000 due times" in refused.message
    assert messages(redis_client) == []
