"""Tests that schedules whose messages workers would refuse are refused with the reason, before they run."""

import json
from pathlib import Path
from typing import Any

import pytest
import redis

from financehub_scheduler.api.schedule import compile_schedule
from financehub_shared.broker.door import read_message
from financehub_shared.monitor import RunState, TaskMonitor
from financehub_shared.redis import queue_keys
from financehub_shared.schedules import list_schedules, request_trigger
from financehub_shared.spec.scheduled_task import ScheduledTask
from support.schedules import UID, SchedulerProcess, resource, schedule, write
from support.waiting import eventually


def test_schedule_with_large_arguments_is_refused_and_others_run(
    redis_url: str, redis_client: redis.Redis, tmp_path: Path
) -> None:
    """A real scheduler shows the reason, skips a trigger with it, and runs the other schedule."""
    large = resource("large", task="t", queue="q", schedule="@every 1s", kwargs={"text": "x" * 66_000})
    write(tmp_path, large, resource("small", task="t", queue="q", schedule="@every 1s"))
    scheduler = SchedulerProcess(redis_url, tmp_path, tmp_path / "log").start()
    try:
        eventually(lambda: redis_client.hlen(queue_keys.messages("q")))
        problems = eventually(
            lambda: {each.name: each.problem for each in list_schedules(redis_client) if each.problem}
        )
        assert problems.keys() == {"default/large"}
        assert "the limit FINANCEHUB_MAX_MESSAGE_BYTES is 65,536" in problems["default/large"]
        run_id = request_trigger(redis_client, "default/large")
        run = eventually(lambda: TaskMonitor(redis_client).get_run(run_id))
        assert run.state is RunState.SKIPPED
        assert "FINANCEHUB_MAX_MESSAGE_BYTES" in run.error
    finally:
        scheduler.end()
    bodies = [json.loads(body) for body in redis_client.hvals(queue_keys.messages("q"))]
    assert {body["options"]["schedule"] for body in bodies} == {"default/small"}


def nested(levels: int) -> Any:
    """Return lists in lists."""
    return [nested(levels - 1)] if levels else []


def test_schedule_that_workers_would_refuse_is_refused() -> None:
    """Whatever the door refuses, a scheduler refuses first, and names the reason."""
    body = resource(kwargs={"a": nested(250)})
    task = ScheduledTask.model_validate(body)
    with pytest.raises(ValueError, match="workers would refuse its messages: it is nested deeper than 200 levels"):
        compile_schedule(task, UID)


def test_message_of_a_schedule_passes_the_door() -> None:
    """The messages that a scheduler writes are messages that workers accept, and their size is known."""
    compiled = schedule(kwargs={"symbols": ["é", "\U0001f600"]}, retries=3, timeLimitSeconds=5)
    message = compiled.message(UID, 1_800_000_000_000, 1_800_000_000_000).encode()
    assert abs(len(message) - compiled.message_bytes) < 100
    assert read_message(message, UID, "q").options["max_retries"] == 3
