"""Pauses with real scheduler processes that are killed and started again."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis

from financehub_shared.operations.schedules import pause_schedules, resume_schedules
from financehub_shared.schedules import list_schedules
from support.schedules import SchedulerProcess, messages, resource, write
from support.waiting import eventually

pytestmark = pytest.mark.faults

#: No worker takes the messages, so the schedules may have more unfinished runs than by default.
EVERY_SECOND = {"schedule": "@every 1s", "concurrencyPolicy": "Allow", "catchUp": "All", "maxQueueDepth": 5_000}


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[[str], SchedulerProcess]]:
    """Start scheduler processes with the folder `schedules`. They are stopped after the test."""
    (tmp_path / "schedules").mkdir()
    write(tmp_path / "schedules", resource("paused", **EVERY_SECOND), resource("other", **EVERY_SECOND))
    running: list[SchedulerProcess] = []

    def begin(url: str) -> SchedulerProcess:
        log = tmp_path / f"scheduler-{len(running)}.log"
        running.append(SchedulerProcess(url, tmp_path / "schedules", log).start())
        return running[-1]

    yield begin
    for each in running:
        each.end()


def due_times(client: "redis.Redis", name: str) -> list[int]:
    """Return the due times of the messages of a schedule, in Unix seconds."""
    options = [message["options"] for message in messages(client)]
    return [each["due_at"] // 1000 for each in options if each["schedule"] == f"default/{name}"]


def wait_for_runs(client: "redis.Redis", name: str) -> None:
    """Wait until three more runs of a schedule are enqueued."""
    enough = len(due_times(client, name)) + 3
    eventually(lambda: len(due_times(client, name)) >= enough, f"three more runs of {name}", 90)


def test_pause_holds_through_restarts_and_ends_when_resumed(
    redis_url: str, redis_client: "redis.Redis", start: Callable[[str], SchedulerProcess]
) -> None:
    """While one schedule is paused, the other one runs on, no matter which scheduler is killed, stopped or started."""
    first, second = start(redis_url), start(redis_url)
    wait_for_runs(redis_client, "paused")
    pause_schedules(redis_client, ["paused"], "the provider changes its API", "alice")
    before = due_times(redis_client, "paused")
    wait_for_runs(redis_client, "other")
    first.kill()
    wait_for_runs(redis_client, "other")
    second.stop()
    third = start(redis_url)
    wait_for_runs(redis_client, "other")
    assert due_times(redis_client, "paused") == before
    assert [info.name for info in list_schedules(redis_client) if info.is_paused] == ["default/paused"]
    resume_schedules(redis_client, ["paused"])
    wait_for_runs(redis_client, "paused")
    times = due_times(redis_client, "paused")
    after = times[len(before) :]
    assert after[0] > before[-1] + 1, "nothing is caught up"
    assert after == list(range(after[0], after[0] + len(after)))
    assert {info.missed for info in list_schedules(redis_client) if info.name == "default/paused"} == {0}
    assert third.stop() == 0
