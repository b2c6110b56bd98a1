"""Tests of a fleet whose Redis answers and refuses writes: full, disk full, without replicas, read-only."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from financehub_shared.monitor import TaskMonitor
from financehub_shared.schedules import list_schedules
from integration.fleet.conftest import StartFleet
from support.fleet import Fleet
from support.redis_server import RedisServer
from support.waiting import eventually

pytestmark = [pytest.mark.faults, pytest.mark.timeout(600)]

TASK = "cleanup_old_cache_task"
NAME = "default/every-second"

Undo = Callable[[], None]


def full(server: RedisServer) -> Undo:
    """Fill Redis beyond its memory limit, which also exceeds what acks and expired keys free in the meantime."""
    with server.client() as client:
        used = client.info("memory")["used_memory"]
        client.mset({f"filler:{number}": b"x" * 1_000 for number in range(4_000)})
        client.config_set("maxmemory", used + 2_000_000)

    def undo() -> None:
        with server.client() as client:
            client.delete(*client.keys("filler:*"))

    return undo


def disk_full(server: RedisServer) -> Undo:
    """Let a snapshot fail, after which Redis refuses writes until one succeeds."""
    obstacle = server.directory / "dump.rdb"
    with server.client() as client:
        client.config_set("save", "3600 1")
        obstacle.unlink(missing_ok=True)
        obstacle.mkdir()
        client.bgsave()
        eventually(lambda: client.info("persistence")["rdb_last_bgsave_status"] == "err")

    def undo() -> None:
        obstacle.rmdir()
        with server.client() as client:
            client.bgsave()

    return undo


def without_replica(server: RedisServer) -> Undo:
    """Require a replica that does not exist."""
    with server.client() as client:
        client.config_set("min-replicas-to-write", 1)

    def undo() -> None:
        with server.client() as client:
            client.config_set("min-replicas-to-write", 0)

    return undo


def demoted(server: RedisServer) -> Undo:
    """Make Redis a replica, as the old master is after a failover."""
    with server.client() as client:
        client.replicaof("127.0.0.1", "1")

    def undo() -> None:
        with server.client() as client:
            client.replicaof("NO", "ONE")

    return undo


#: Fault → words of the sentence that names it, code of the problem.
FAULTS: dict[str, tuple[Callable[[RedisServer], Undo], str, str]] = {
    "full": (full, "is full and refuses writes: it uses", "full"),
    "disk full": (disk_full, "refuses writes because it cannot save to its disk", "disk-failing"),
    "demoted": (demoted, "is a read-only replica; point REDIS_URL", "read-only"),
    "no replica": (without_replica, "fewer replicas are connected", "replicas-missing"),
}


def runs(fleet: Fleet) -> dict[str, int]:
    """Return the numbers of enqueued, missed and succeeded runs, or zeros until the schedule and the task are known."""
    with fleet.redis() as client:
        known = [schedule for schedule in list_schedules(client) if schedule.name == NAME]
        stats = TaskMonitor(client).get_all_stats().get(TASK)
    if not known or stats is None:
        return {"enqueued": 0, "missed": 0, "succeeded": 0}
    return {"enqueued": known[0].runs, "missed": known[0].missed, "succeeded": stats.succeeded}


def lines(fleet: Fleet, name: str) -> list[dict[str, Any]]:
    """Return the log lines of a process."""
    log = (fleet.directory / f"{name}.log").read_text()
    return [json.loads(line) for line in log.splitlines() if line.startswith("{")]


def count(fleet: Fleet, name: str, event: str, problem: str) -> int:
    """Return how often a process logged the beginning or end of a problem."""
    return sum(line["event"] == event and line.get("problem") == problem for line in lines(fleet, name))


@pytest.mark.parametrize(("fault", "words", "code"), FAULTS.values(), ids=FAULTS)
def test_fleet_whose_redis_refuses_writes_names_the_cause_and_recovers(
    fleet: StartFleet, fault: Callable[[RedisServer], Undo], words: str, code: str
) -> None:
    """Health, readiness and logs name the cause, no process is restarted, and afterwards each due time has run once."""
    running = fleet()
    running.schedule("every-second", TASK, "@every 1s", "  catchUp: All\n  concurrencyPolicy: Allow\n")
    running.start_scheduler()
    running.start_tier("low")
    eventually(lambda: runs(running)["succeeded"] >= 2, "runs succeed")
    undo = fault(running.server)

    def problems(name: str, path: str) -> list[str]:
        return list(running.get(name, path).get("problems", ["no answer"]))

    for name in ("scheduler", "low"):
        eventually(
            lambda name=name: any(words in text for text in problems(name, "/readyz")), "not ready with the cause"
        )
        report = eventually(lambda name=name: (found := running.health(name)).get("status") == "down" and found, "down")
        assert [text for text in report["problems"] if text.startswith("redis:") and words in text], report["problems"]
        assert not [text for text in report["problems"] if "no live" in text and "tier:low" in text], report["problems"]
        assert "no live scheduler" not in str(report["problems"])
        assert problems(name, "/livez") == []
        eventually(lambda name=name: count(running, name, "redis_problem_detected", code) == 1, "the problem is logged")
    if code != "read-only":  # a replica is not asked for anything else
        status = running.cli("status", code=1)
        assert status["status"] == "down"
        assert any(words in text for text in status["problems"]), status["problems"]
    before = runs(running)
    assert problems("scheduler", "/livez") == problems("low", "/livez") == []

    undo()
    eventually(lambda: runs(running)["succeeded"] >= before["succeeded"] + 5, "runs succeed again")
    for name in ("scheduler", "low"):
        eventually(lambda name=name: problems(name, "/readyz") == [], "ready again")
        eventually(lambda name=name: count(running, name, "redis_problem_ended", code) == 1, "the end is logged")
        assert count(running, name, "redis_problem_detected", code) == 1
        assert running.running(name)
    counts = runs(running)
    assert counts["missed"] == 0
    eventually(lambda: runs(running)["succeeded"] >= counts["enqueued"], "every enqueued run succeeds")
