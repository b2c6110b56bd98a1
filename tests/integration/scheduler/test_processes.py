"""Tests with real scheduler processes that are killed at random, and with faults of a real Redis."""

import random
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis

from financehub_shared.schedules import list_schedules
from support.redis_server import RedisServer
from support.schedules import SchedulerProcess, messages, resource, write
from support.waiting import eventually

pytestmark = [pytest.mark.faults, pytest.mark.each_server]

#: No worker takes the messages, so the schedules may have more unfinished runs than by default.
EVERY_SECOND = {"schedule": "@every 1s", "concurrencyPolicy": "Allow", "catchUp": "All", "maxQueueDepth": 50_000}


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[[str], SchedulerProcess]]:
    """Start scheduler processes with the folder `schedules`. They are stopped after the test."""
    (tmp_path / "schedules").mkdir()
    running: list[SchedulerProcess] = []

    def begin(url: str) -> SchedulerProcess:
        log = tmp_path / f"scheduler-{len(running)}.log"
        running.append(SchedulerProcess(url, tmp_path / "schedules", log).start())
        return running[-1]

    yield begin
    for each in running:
        each.end()


def wait_until_none_lags(client: "redis.Redis", count: int, at_least: int) -> None:
    """Wait until every schedule has a number of messages, and no schedule lags behind the others."""

    def none_lags() -> bool:
        due: dict[str, list[int]] = {}
        for message in messages(client):
            due.setdefault(message["options"]["schedule"], []).append(message["options"]["due_at"] // 1000)
        ends = [times[-1] for times in due.values()]
        return len(due) == count and max(ends) - min(ends) <= 1 and min(map(len, due.values())) >= at_least

    eventually(none_lags, "each schedule runs, and none lags behind")


def assert_exactly_once(client: "redis.Redis", count: int) -> None:
    """Assert that every schedule has one message per second without gaps."""
    due = defaultdict(list)
    ids = []
    for message in messages(client):
        due[message["options"]["schedule"]].append(message["options"]["due_at"] // 1000)
        ids.append(message["message_id"])
    assert len(due) == count
    for name, times in due.items():
        assert times == list(range(times[0], times[0] + len(times))), f"{name}: a gap, a repetition or disorder"
    assert len(ids) == len(set(ids))
    assert {int(each.missed) for each in list_schedules(client)} == {0}


def test_schedulers_killed_at_random_enqueue_each_run_once(
    redis_url: str, redis_client: "redis.Redis", tmp_path: Path, start: Callable[[str], SchedulerProcess]
) -> None:
    """No matter how often schedulers are killed, each due run is enqueued exactly once."""
    names = [f"s{number}" for number in range(20)]
    write_all(tmp_path, names)
    fleet = [start(redis_url) for _ in range(3)]
    eventually(lambda: redis_client.llen("dramatiq:q") >= 20, "first runs")
    generator = random.Random(7)
    for _ in range(12):
        victim = generator.choice(fleet)
        victim.kill()
        time.sleep(generator.uniform(0, 0.4))
        victim.start()
        time.sleep(generator.uniform(0, 0.6))
    # Kill all of them, and leave some time without any scheduler.
    for each in fleet:
        each.kill()
    time.sleep(1.5)
    for each in fleet:
        each.start()
    held = redis_client.llen("dramatiq:q")
    # The missed runs are caught up immediately. The test also waits for runs after them.
    enough = max(held + 60, 20 * 12)
    eventually(lambda: redis_client.llen("dramatiq:q") >= enough, "runs go on after all were dead")
    wait_until_none_lags(redis_client, 20, at_least=10)
    for each in fleet:
        each.stop()
    assert_exactly_once(redis_client, 20)


def write_all(tmp_path: Path, names: list[str]) -> None:
    """Write one schedule per name that is due every second."""
    write(tmp_path / "schedules", *(resource(name, **EVERY_SECOND) for name in names))


#: Name of a fault → functions that begin and end it. A hung Redis later executes the commands that it received.
FAULTS: dict[str, tuple[Callable[[RedisServer], object], Callable[[RedisServer], object]]] = {
    "killed": (RedisServer.kill, RedisServer.start),
    "hung": (RedisServer.hang, RedisServer.resume),
    "full": (
        lambda server: server.client().config_set("maxmemory", "1"),
        lambda server: server.client().config_set("maxmemory", "0"),
    ),
    "demoted": (
        lambda server: server.client().replicaof("127.0.0.1", "1"),
        lambda server: server.client().replicaof("NO", "ONE"),
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_schedulers_after_a_fault_of_redis_enqueue_each_run_once(
    redis_server: Callable[..., RedisServer],
    tmp_path: Path,
    start: Callable[[str], SchedulerProcess],
    fault: str,
) -> None:
    """The schedulers survive every fault of Redis, and each due run is enqueued exactly once."""
    server = redis_server()
    write_all(tmp_path, ["a", "b", "c"])
    fleet = [start(server.url) for _ in range(2)]
    client = server.client()
    eventually(lambda: client.llen("dramatiq:q") >= 3, "first runs")
    begin, finish = FAULTS[fault]
    begin(server)
    eventually(lambda: all(each.events("redis_unavailable") for each in fleet), "the outage is noticed and logged")
    finish(server)
    client = server.client()
    held = client.llen("dramatiq:q")
    eventually(lambda: client.llen("dramatiq:q") >= held + 9, "runs go on after the fault")
    eventually(lambda: all(each.events("redis_available_again") for each in fleet), "its end is logged")
    wait_until_none_lags(client, 3, at_least=4)
    for each in fleet:
        assert each.process.poll() is None, "a scheduler has died"
        assert each.stop() == 0
    assert_exactly_once(client, 3)
    for each in fleet:
        assert "Traceback" not in each.log.read_text()


def test_scheduler_started_before_redis_waits_for_it(
    redis_server: Callable[..., RedisServer], tmp_path: Path, start: Callable[[str], SchedulerProcess]
) -> None:
    """A scheduler that starts before Redis waits for it, logs that once, and then works."""
    server = redis_server()
    server.kill()
    write_all(tmp_path, ["a"])
    process = start(server.url)
    eventually(lambda: process.events("redis_unavailable"), "the wait is logged")
    time.sleep(0.5)
    server.start()
    eventually(lambda: server.client().llen("dramatiq:q") >= 1, "runs")
    assert len(process.events("redis_unavailable")) == 1
    assert process.stop() == 0
