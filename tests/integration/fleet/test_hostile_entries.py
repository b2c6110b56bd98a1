"""1,000 hostile messages, keys and dead letters among 200 good messages, on real processes."""

import json
import os
import random
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
import redis

from financehub_shared.broker.dead_letter_queue import DeadLetterFilter, DeadLetterQueue
from financehub_shared.broker.dead_letter_reason import REFUSED_AT_THE_DOOR
from financehub_shared.core.settings import Settings
from financehub_shared.redis import keys, queue_keys
from financehub_shared.redis.text import escaped_text
from financehub_shared.worker.actors import enqueue
from financehub_shared.worker.build import build_broker
from support.fault_counts import QUEUE, TASK
from support.hostile_keys import add_foreign_members, add_foreign_names, replace_key
from support.hostile_messages import hostile_entries
from support.processes import end, launch
from support.schedules import SchedulerProcess, resource, write
from support.waiting import eventually

pytestmark = pytest.mark.faults

GOOD = 200
HOSTILE = 1_000
LETTERS = 300
TESTS = Path(__file__).parents[2]
#: Keys that are replaced by keys of another type while the processes run.
REPLACED = (
    (keys.HIGH_WATER_MARKS, "string"),
    (keys.SCHEDULES, "list"),
    (keys.SCHEDULE_TRIGGERS, "zset"),
    (keys.SCHEDULES_CHANGED, "string"),
    (keys.SCHEDULE_BACKFILLS, "hash"),
    (keys.PROCESSES, "string"),
    (keys.TASKS, "hash"),
    (keys.BREAKERS, "stream"),
    (queue_keys.HEARTBEATS, "string"),
    (queue_keys.losses(QUEUE), "list"),
    (queue_keys.ready("other"), "hash"),
    (queue_keys.acks("gone", "other"), "string"),
    (queue_keys.dead("other"), "string"),
)


def test_hostile_entries_among_good_messages_cost_nothing(
    redis_url: str, redis_client: redis.Redis, tmp_path: Path
) -> None:
    """Every good message runs once, every hostile one is a dead letter with a reason, and no process ends."""
    runs_file, log = tmp_path / "runs", tmp_path / "worker.log"
    folder = tmp_path / "schedules"
    folder.mkdir()
    write(folder, resource("tick", task=TASK, queue=QUEUE, schedule="@every 2s"))
    broker = build_broker(Settings(redis_url=redis_url))
    entries = hostile_entries(TASK, HOSTILE)
    work = [*range(GOOD), *entries]
    random.Random(12).shuffle(work)
    for item in work:
        if isinstance(item, int):
            enqueue(broker, TASK, {"tag": item}, queue=QUEUE)
        else:
            redis_client.hset(queue_keys.messages(QUEUE), item.id, item.body)
            redis_client.rpush(queue_keys.ready(QUEUE), item.id)
    for number, entry in enumerate(hostile_entries(TASK, LETTERS)):
        redis_client.zadd(queue_keys.dead("letters"), {entry.id: time.time() * 1000 - number})
        if number % 10:
            redis_client.hset(queue_keys.dead_messages("letters"), entry.id, entry.body)
    add_foreign_names(redis_client)
    add_foreign_members(redis_client)

    environment = os.environ | {
        "PYTHONPATH": str(TESTS),
        "RUNS_FILE": str(runs_file),
        "REDIS_URL": redis_url,
        "FINANCEHUB_HTTP_PORT": "0",
        "FINANCEHUB_LOG_FORMAT": "json",
    }
    command = [sys.executable, "-m", "dramatiq", "support.counting_tier", "-p", "1", "-t", "4", "--skip-logging"]
    scheduler = SchedulerProcess(redis_url, folder, tmp_path / "scheduler.log").start()
    with log.open("wb") as file:
        worker = launch(command, env=environment, stdout=file, stderr=file, start_new_session=True)
    try:
        letters = DeadLetterQueue(redis_client)
        mine = DeadLetterFilter(queue=QUEUE)
        eventually(lambda: len(letters.find(mine, limit=None)) >= HOSTILE, "hostile ones are letters", within=120)
        eventually(lambda: len(_tags(runs_file)) >= GOOD, "good ones have run", within=120)
        for key, type_ in REPLACED:
            replace_key(redis_client, key, type_)
        before = len(_ticks(runs_file))
        eventually(lambda: len(_ticks(runs_file)) > before + 2, "the schedule goes on", within=120)
        assert worker.poll() is None
        assert scheduler.process.poll() is None
    finally:
        end(worker)
        scheduler.end()

    assert Counter(_tags(runs_file)) == Counter(range(GOOD))
    assert max(Counter(_ticks(runs_file)).values()) == 1
    found = letters.find(mine, limit=None)
    assert {letter.id for letter in found} == {escaped_text(entry.id) for entry in entries}
    assert {letter.reason for letter in found} <= REFUSED_AT_THE_DOOR
    assert all(letter.error for letter in found)
    foreign = letters.find(DeadLetterFilter(queue="letters"), limit=None)
    assert len(foreign) == LETTERS
    assert len(letters.purge(DeadLetterFilter(queue="letters"))) == LETTERS
    assert b"Traceback" not in log.read_bytes()
    assert "Traceback" not in scheduler.log.read_text()


def _lines(runs_file: Path) -> list[dict[str, object]]:
    if not runs_file.exists():
        return []
    return [json.loads(line) for line in runs_file.read_text().splitlines()]


def _tags(runs_file: Path) -> list[object]:
    """Return the numbers of the good messages that have run."""
    return [line["tag"] for line in _lines(runs_file) if line["tag"] is not None]


def _ticks(runs_file: Path) -> list[object]:
    """Return the due times of the schedule that have run."""
    return [line["due_at"] for line in _lines(runs_file) if line["schedule"] is not None]
