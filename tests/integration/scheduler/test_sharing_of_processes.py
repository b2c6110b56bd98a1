"""Tests of real scheduler processes that share the due runs, one of which is killed or stopped."""

import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from financehub_shared.redis import keys
from financehub_shared.schedules import list_schedules
from support.schedules import SchedulerProcess, messages, resource, write
from support.waiting import eventually

pytestmark = pytest.mark.faults

COUNT = 30


@pytest.fixture
def fleet(tmp_path: Path, redis_url: str, redis_client: "redis.Redis") -> Iterator[list[SchedulerProcess]]:
    """Two schedulers that are members, with schedules that are due each second and catch nothing up.

    No worker takes the messages, so the schedules may have more unfinished runs than by default.
    """
    folder = tmp_path / "schedules"
    folder.mkdir()
    spec = {"schedule": "@every 1s", "concurrencyPolicy": "Allow", "catchUp": "None", "maxQueueDepth": 50_000}
    write(folder, *(resource(f"s{number}", **spec) for number in range(COUNT)))
    running = [SchedulerProcess(redis_url, folder, tmp_path / f"{number}.log").start() for number in range(2)]
    try:
        eventually(lambda: all(fired(each) for each in running) and members(redis_client) == 2, "both fire", 120)
        yield running
    finally:
        for each in running:
            each.end()


def members(client: "redis.Redis") -> int:
    """Return the number of members."""
    return int(client.zcard(keys.SCHEDULERS))


def fired(process: SchedulerProcess) -> list[tuple[str, float]]:
    """Return the schedule and the due time of each run that a process has enqueued itself."""
    return [(str(line["schedule"]), float(line["due_at"])) for line in process.events("run_enqueued")]


def known_members(process: SchedulerProcess) -> int:
    """Return the number of members that a process knows, or 0 if it has not looked yet."""
    changes = process.events("schedulers_changed")
    return int(changes[-1]["schedulers"]) if changes else 0


def assert_each_second_once(client: "redis.Redis") -> None:
    """Assert that each schedule has one message for each second since its first one, and that none was missed."""
    due: dict[str, list[int]] = {}
    for message in messages(client):
        due.setdefault(message["options"]["schedule"], []).append(message["options"]["due_at"] // 1000)
    assert len(due) == COUNT
    for name, times in due.items():
        assert times == list(range(times[0], times[0] + len(times))), f"{name}: a gap, a repetition or disorder"
    assert {int(each.missed) for each in list_schedules(client)} == {0}


def test_two_schedulers_fire_each_about_half_and_nothing_is_taken_over(
    fleet: list[SchedulerProcess], redis_client: "redis.Redis"
) -> None:
    """As members, the schedulers divide the schedules by name, and each run is enqueued by the owner."""
    eventually(lambda: all(known_members(each) == 2 for each in fleet), "both know")
    begin = time.time() + 1

    def divided() -> bool:
        runs = [fired(each) for each in fleet]
        end = min(own[-1][1] for own in runs)
        first, second = ({name for name, due in own if end - 4 < due < end} for own in runs)
        return (
            end > begin + 4
            and len(first | second) == COUNT
            and min(len(first), len(second)) >= COUNT // 6
            and len(first & second) <= COUNT // 6
        )

    # A scheduler that is busy for half a second loses its runs to the other one, so a busy machine needs more time.
    eventually(divided, "for four seconds, each scheduler fires its own share")
    for each in fleet:
        assert each.stop() == 0
    assert members(redis_client) == 0
    assert_each_second_once(redis_client)


@pytest.mark.parametrize("fault", [signal.SIGKILL, signal.SIGSTOP])
def test_share_of_a_scheduler_that_is_killed_or_stopped_is_taken_over_without_a_gap(
    fleet: list[SchedulerProcess], redis_client: "redis.Redis", fault: signal.Signals
) -> None:
    """The other one fires every due time of the whole fleet, at first late, and soon as the only member.

    The schedules catch nothing up, so a run that was taken over too late would be missed. A process that continues
    repeats nothing.
    """
    gone, left = fleet
    owned = {name for name, _ in fired(gone)[-COUNT:]}
    gone.process.send_signal(fault)
    at = time.time()
    eventually(lambda: owned <= {name for name, due in fired(left) if due > at + 8}, "the other one fires the share")
    assert left.events("runs_taken_over")
    eventually(lambda: known_members(left) == 1, "it is the only member")
    if fault is signal.SIGSTOP:
        gone.process.send_signal(signal.SIGCONT)
        eventually(lambda: members(redis_client) == 2, "it is a member again")
        eventually(lambda: fired(gone)[-1][1] > at + 8, "it fires again")
        assert gone.stop() == 0
    assert left.stop() == 0
    assert_each_second_once(redis_client)
