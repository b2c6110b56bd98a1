"""Tests of a fleet whose Redis answers and refuses writes: full, disk full, without replicas, read-only."""

from collections.abc import Callable

import pytest

from integration.fleet.conftest import StartFleet
from support import every_second
from support.every_second import PROCESSES, count_lines
from support.redis_server import RedisServer
from support.waiting import eventually

pytestmark = [pytest.mark.faults, pytest.mark.timeout(600)]

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


@pytest.mark.parametrize(("fault", "words", "code"), FAULTS.values(), ids=FAULTS)
def test_fleet_whose_redis_refuses_writes_names_the_cause_and_recovers(
    fleet: StartFleet, fault: Callable[[RedisServer], Undo], words: str, code: str
) -> None:
    """Health, readiness and logs name the cause, no process is restarted, and afterwards each due time has run once."""
    running = fleet()
    every_second.start(running)
    undo = fault(running.server)

    def problems(name: str, path: str) -> list[str]:
        return list(running.get(name, path).get("problems", ["no answer"]))

    for name in PROCESSES:
        eventually(
            lambda name=name: any(words in text for text in problems(name, "/readyz")), "not ready with the cause"
        )
        report = eventually(lambda name=name: (found := running.health(name)).get("status") == "down" and found, "down")
        assert [text for text in report["problems"] if text.startswith("redis:") and words in text], report["problems"]
        assert not [text for text in report["problems"] if "no live" in text and "tier:low" in text], report["problems"]
        assert "no live scheduler" not in str(report["problems"])
        assert problems(name, "/livez") == []
        eventually(
            lambda name=name: count_lines(running, name, "redis_problem_detected", code) == 1, "the problem is logged"
        )
    if code != "read-only":  # a replica is not asked for anything else
        status = running.cli("status", code=1)
        assert status["status"] == "down"
        assert any(words in text for text in status["problems"]), status["problems"]
    assert problems("scheduler", "/livez") == problems("low", "/livez") == []
    undo()
    every_second.assert_recovers(running, code)
