"""Runs whose exception has no usable text: record, dead letter, retries, log line and metric."""

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from dramatiq import Message

from financehub_shared.broker.dead_letter_queue import DeadLetterFilter, DeadLetterQueue
from financehub_shared.core.exception_text import exception_name
from financehub_shared.core.settings import load_settings
from financehub_shared.monitor import RunState, TaskMonitor
from financehub_shared.worker.build import build_broker
from support.hostile_exceptions import HOSTILE
from support.processes import end, launch
from support.waiting import eventually

TESTS = Path(__file__).parents[2]


@pytest.fixture
def log(redis_url: str, tmp_path: Path) -> Iterator[Path]:
    """The log of a worker process, which stops after the test."""
    fixed = {
        "OBSERVED_WORKER": "1",
        "PYTHONPATH": str(TESTS),
        "REDIS_URL": redis_url,
        "FINANCEHUB_HTTP_PORT": "0",
        "FINANCEHUB_LOG_FORMAT": "json",
        "FINANCEHUB_RETRY_MIN_SECONDS": "0.01",
        "FINANCEHUB_RETRY_MAX_SECONDS": "0.02",
    }
    path = tmp_path / "worker.log"
    command = [sys.executable, "-m", "dramatiq", "support.observed", "-p", "1", "-t", "2", "--skip-logging"]
    with path.open("wb") as file:
        process = launch(command, env=os.environ | fixed, stdout=file, stderr=file, start_new_session=True)
    yield path
    end(process)


def test_runs_with_hostile_exceptions_are_retried_recorded_and_dead_lettered(redis_url: str, log: Path) -> None:
    """Whatever an exception does when it is shown, its run is retried, recorded with its class, and dead-lettered."""
    client = redis.Redis.from_url(redis_url)
    broker = build_broker(load_settings({"REDIS_URL": redis_url}))
    monitor, letters = TaskMonitor(client), DeadLetterQueue(client)
    runs: dict[str, Message[Any]] = {}
    for name in HOSTILE:
        message: Message[Any] = Message("high", "hostile", (), {"name": name}, {})
        runs[name] = broker.enqueue(message)

    def find_letters() -> dict[str, Any]:
        return {letter.kwargs["name"]: letter for letter in letters.find(DeadLetterFilter(), limit=None)}

    eventually(lambda: len(find_letters()) == len(HOSTILE), "each run is dead-lettered", within=90)
    found = find_letters()
    complete = log.read_text().rpartition("\n")[0]  # the process may be writing another line
    lines = [json.loads(line) for line in complete.splitlines() if line.startswith("{")]
    for name, build in HOSTILE.items():
        class_name = exception_name(build())
        run = monitor.get_run(runs[name].message_id)
        assert run is not None, name
        assert (run.state, run.attempts) == (RunState.DEAD_LETTERED, 2), name
        assert run.error.startswith(class_name[:50])
        assert run.error.isprintable()
        letter = found[name]
        assert letter.exception == class_name
        assert [failure["exception"] for failure in letter.failures] == [class_name] * 2
        assert "in hostile" in letter.traceback, name
        assert len(letter.traceback) < 9_000
        (line,) = [
            line
            for line in lines
            if line["event"] == "task_dead_lettered" and line["message_id"] == runs[name].message_id
        ]
        assert line["error"] == run.error
        assert "in hostile" in line["exception"]
    stats = monitor.get_all_stats()["hostile"]
    count = len(HOSTILE)
    assert (stats.failed, stats.retried, stats.dead_lettered) == (2 * count, count, count)
    # Nothing was reported as a surprise, in our code or in dramatiq's, and no thread ended.
    events = {line["event"].partition(" ")[0] for line in lines if line["level"] in {"error", "critical"}}
    assert events == {"task_dead_lettered"}
