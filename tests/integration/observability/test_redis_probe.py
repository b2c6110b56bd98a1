"""What a process sees of a real Redis: its memory, its persistence, its clock, and what it refuses."""

import shutil
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import redis
from structlog.testing import capture_logs

from financehub_shared.core.clock import Clock, ManualClock, SystemClock
from financehub_shared.health.redis_probe import RedisProbe
from financehub_shared.metrics import Metrics
from financehub_shared.redis.client import connect
from support.observed import eventually
from support.redis_server import RedisServer

StartRedis = Callable[..., RedisServer]


class Probed:
    """A probe of some servers, and what it sees.

    Args:
        urls: server → URL.
        clock: which is compared with the servers' clocks.
        details: whether INFO is read.
    """

    def __init__(self, urls: Mapping[str, str], clock: Clock | None = None, *, details: bool = True) -> None:
        self.metrics = Metrics("scheduler")
        clients = {name: connect(url, retries=0, timeout=0.5) for name, url in urls.items()}
        self._probe = RedisProbe(clients, clock or SystemClock(), self.metrics.redis_command_duration, details=details)

    def look(self) -> dict[str, dict[tuple[str, ...], float]]:
        """Family → label values → value; also whether every server answered, as `answered`."""
        families, answered = self._probe.look()
        seen = {
            family.name.removeprefix("financehub_redis_"): {
                tuple(one.labels.values()): one.value for one in family.samples
            }
            for family in families
        }
        return {**seen, "answered": {(): float(answered)}}


def test_memory_and_policy_are_those_of_the_server(redis_server: StartRedis) -> None:
    """What the server was configured with is what is shown."""
    server = redis_server("--maxmemory", "64mb", "--maxmemory-policy", "allkeys-lru")
    seen = Probed({"queues": server.url}).look()
    assert seen["up"] == {("queues",): 1}
    assert seen["memory_max_bytes"] == {("queues",): 64 * 1024**2}
    assert 500_000 < seen["memory_used_bytes"][("queues",)] < 10_000_000
    assert seen["eviction_policy_info"] == {("queues", "allkeys-lru"): 1}
    assert seen["evicted_keys"] == {("queues",): 0}
    assert seen["aof_enabled"] == {("queues",): 1}
    assert seen["persistence_failing"] == {("queues",): 0}


def test_evicted_keys_are_counted(redis_server: StartRedis) -> None:
    """Keys that a server with too little memory drops are counted."""
    server = redis_server("--maxmemory", "3mb", "--maxmemory-policy", "allkeys-lru")
    with server.client() as client:
        for number in range(100):
            client.set(f"key-{number}", b"x" * 100_000)
    assert Probed({"queues": server.url}).look()["evicted_keys"][("queues",)] > 50


def test_a_full_redis_is_up(redis_server: StartRedis) -> None:
    """At its limit with `noeviction` a server answers what is asked at a scrape: up, with its memory."""
    server = redis_server()
    with server.client() as client:
        client.config_set("maxmemory", "1")
        with pytest.raises(redis.OutOfMemoryError):
            client.set("more", 1)
    seen = Probed({"queues": server.url}).look()
    assert seen["up"] == {("queues",): 1}
    assert seen["memory_max_bytes"] == {("queues",): 1}
    assert seen["memory_used_bytes"][("queues",)] > 1


def test_a_snapshot_that_cannot_be_written_is_seen(redis_server: StartRedis, tmp_path: Path) -> None:
    """A failed snapshot makes persistence failing until one succeeds."""
    server = redis_server()
    probed = Probed({"queues": server.url})
    obstacle = tmp_path / "redis-0" / "dump.rdb"
    obstacle.mkdir()
    with server.client() as client:
        client.set("key", 1)
        client.bgsave()
        eventually(lambda: probed.look()["persistence_failing"] == {("queues",): 1})
        obstacle.rmdir()
        client.bgsave()
        eventually(lambda: probed.look()["persistence_failing"] == {("queues",): 0})


def test_an_append_only_file_that_cannot_be_rewritten_is_seen(redis_server: StartRedis, tmp_path: Path) -> None:
    """A failed rewrite of the append-only file makes persistence failing."""
    server = redis_server()
    probed = Probed({"queues": server.url})
    with server.client() as client:
        client.set("key", 1)
        directory = tmp_path / "redis-0" / "appendonlydir"
        shutil.rmtree(directory)
        directory.write_text("in the way")
        with pytest.raises(redis.ResponseError):
            client.bgrewriteaof()
    assert probed.look()["persistence_failing"] == {("queues",): 1}


@pytest.mark.parametrize("ahead", [-100.0, 100.0])
def test_the_skew_is_positive_when_our_clock_is_ahead(redis_url: str, ahead: float) -> None:
    """The sign of the skew says which of the two clocks is ahead."""
    seen = Probed({"queues": redis_url}, ManualClock(time.time() + ahead)).look()
    assert seen["clock_skew_seconds"][("queues",)] == pytest.approx(ahead, abs=5)


def test_a_worker_asks_for_the_time_only(redis_client: "redis.Redis", redis_url: str) -> None:
    """Without details INFO is not sent, and its families are not there at all."""
    probed = Probed({"queues": redis_url}, details=False)
    redis_client.config_resetstat()
    assert set(probed.look()) == {"up", "clock_skew_seconds", "answered"}
    stats = redis_client.info("commandstats")
    assert stats["cmdstat_time"]["calls"] == 1
    assert "cmdstat_info" not in stats


def test_each_of_two_servers_has_its_own_figures(redis_server: StartRedis) -> None:
    """One that hangs is down without figures; the other keeps its own, and both have theirs again afterwards."""
    queues, data = redis_server("--maxmemory", "64mb"), redis_server("--maxmemory", "32mb")
    probed = Probed({"queues": queues.url, "data": data.url})
    whole = probed.look()
    assert whole["up"] == {("queues",): 1, ("data",): 1}
    assert whole["memory_max_bytes"] == {("queues",): 64 * 1024**2, ("data",): 32 * 1024**2}
    data.hang()
    hung = probed.look()
    assert hung["up"] == {("queues",): 1, ("data",): 0}
    assert hung["answered"] == {(): 0}
    for family in ("memory_max_bytes", "memory_used_bytes", "clock_skew_seconds", "persistence_failing"):
        assert set(hung[family]) == {("queues",)}
    data.resume()
    assert {name: set(series) for name, series in probed.look().items()} == {
        name: set(series) for name, series in whole.items()
    }


def test_a_server_that_is_gone_is_down_and_its_return_is_seen(redis_server: StartRedis) -> None:
    """Killed is down at once, and restarted it is up at the next look."""
    server = redis_server()
    probed = Probed({"queues": server.url})
    assert probed.look()["up"] == {("queues",): 1}
    server.kill()
    assert probed.look()["up"] == {("queues",): 0}
    server.start()
    assert probed.look()["up"] == {("queues",): 1}


@pytest.mark.parametrize(
    ("command", "lost"), [("INFO", "memory_used_bytes"), ("TIME", "clock_skew_seconds")], ids=["INFO", "TIME"]
)
def test_a_command_that_is_refused_is_logged_once_with_the_remedy(
    redis_server: StartRedis, command: str, lost: str
) -> None:
    """Redis that refuses a command has answered, so it is up; the log names the command once, and again if it is
    refused after it was allowed.
    """
    server = redis_server()
    with server.client() as client:
        client.acl_setuser("probe", enabled=True, passwords=["+pw"], keys=["*"], commands=["+@all", f"-{command}"])
        probed = Probed({"queues": server.url.replace("//", "//probe:pw@")})
        with capture_logs() as logs:
            for _ in range(3):
                seen = probed.look()
                assert seen["up"] == {("queues",): 1}
                assert seen["answered"] == {(): 1}
                assert seen.get(lost, {}) == {}
            assert [(one["server"], one["command"]) for one in logs] == [("queues", command)]
            assert f"allow this user the command {command}" in logs[0]["remedy"]
            client.acl_setuser("probe", commands=[f"+{command}"])
            assert set(probed.look()[lost]) == {("queues",)}
            client.acl_setuser("probe", commands=[f"-{command}"])
            probed.look()
            assert len(logs) == 2


def test_the_round_trip_is_observed_of_answers_only(redis_server: StartRedis) -> None:
    """Each answer is one observation; a question without an answer is none."""
    server = redis_server()
    probed = Probed({"queues": server.url})

    def observed() -> float | None:
        name = "financehub_redis_command_duration_seconds_count"
        return probed.metrics.registry.get_sample_value(name, {"server": "queues"})

    probed.look()
    probed.look()
    assert observed() == 2
    server.hang()
    probed.look()
    server.resume()
    assert observed() == 2
