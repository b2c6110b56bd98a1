"""Tests of the Redis probe with a real Redis: memory, persistence, clock, and refused commands."""

import shutil
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import redis

from financehub_shared.core.clock import Clock, ManualClock, SystemClock
from financehub_shared.health.redis_probe import RedisProbe
from financehub_shared.metrics import Metrics
from financehub_shared.redis.client import connect
from support.redis_server import RedisServer
from support.waiting import eventually

pytestmark = pytest.mark.faults

StartRedis = Callable[..., RedisServer]


class ProbeReader:
    """A probe of one or more servers.

    Args:
        urls: Server → URL.
        clock: Clock to compare with the servers' clocks.
        details: Whether the probe reads INFO.
    """

    def __init__(self, urls: Mapping[str, str], clock: Clock | None = None, *, details: bool = True) -> None:
        self.metrics = Metrics("scheduler")
        clients = {name: connect(url, retries=0, timeout=2) for name, url in urls.items()}
        self._probe = RedisProbe(clients, clock or SystemClock(), self.metrics.redis_command_duration, details=details)

    def read(self) -> dict[str, dict[tuple[str, ...], float]]:
        """Return family → label values → value, and set `answered` to whether every server replied."""
        families, answered = self._probe.collect()
        values = {
            family.name.removeprefix("financehub_redis_"): {
                tuple(sample.labels.values()): sample.value for sample in family.samples
            }
            for family in families
        }
        return {**values, "answered": {(): float(answered)}}


def test_redis_probe_reads_memory_and_policy(redis_server: StartRedis) -> None:
    """The probe reports the configured memory limit and policy of the server."""
    server = redis_server("--maxmemory", "64mb", "--maxmemory-policy", "allkeys-lru")
    values = ProbeReader({"queues": server.url}).read()
    assert values["up"] == {("queues",): 1}
    assert values["memory_max_bytes"] == {("queues",): 64 * 1024**2}
    assert 500_000 < values["memory_used_bytes"][("queues",)] < 10_000_000
    assert values["eviction_policy_info"] == {("queues", "allkeys-lru"): 1}
    assert values["evicted_keys"] == {("queues",): 0}
    assert values["aof_enabled"] == {("queues",): 1}
    assert values["persistence_failing"] == {("queues",): 0}


def test_redis_probe_with_evictions_counts_keys(redis_server: StartRedis) -> None:
    """The probe counts the keys that a server with too little memory evicts."""
    server = redis_server("--maxmemory", "3mb", "--maxmemory-policy", "allkeys-lru")
    with server.client() as client:
        for number in range(100):
            client.set(f"key-{number}", b"x" * 100_000)
    assert ProbeReader({"queues": server.url}).read()["evicted_keys"][("queues",)] > 50


def test_redis_probe_with_a_full_server_reports_up(redis_server: StartRedis) -> None:
    """A server at its memory limit with `noeviction` replies to a scrape, so it is up and reports its memory."""
    server = redis_server()
    with server.client() as client:
        client.config_set("maxmemory", "1")
        with pytest.raises(redis.OutOfMemoryError):
            client.set("more", 1)
    values = ProbeReader({"queues": server.url}).read()
    assert values["up"] == {("queues",): 1}
    assert values["memory_max_bytes"] == {("queues",): 1}
    assert values["memory_used_bytes"][("queues",)] > 1
    assert {code for (_, code), value in values["problem"].items() if value} == {"full"}


def test_redis_probe_with_a_failed_snapshot_reports_it(redis_server: StartRedis, tmp_path: Path) -> None:
    """After a failed snapshot, persistence is reported as failing until a snapshot succeeds."""
    server = redis_server()
    probe = ProbeReader({"queues": server.url})
    obstacle = tmp_path / "redis-0" / "dump.rdb"
    obstacle.mkdir()
    with server.client() as client:
        client.set("key", 1)
        client.bgsave()
        eventually(lambda: probe.read()["persistence_failing"] == {("queues",): 1})
        obstacle.rmdir()
        client.bgsave()
        eventually(lambda: probe.read()["persistence_failing"] == {("queues",): 0})


def test_redis_probe_with_a_failed_rewrite_reports_it(redis_server: StartRedis, tmp_path: Path) -> None:
    """After a failed rewrite of the append-only file, persistence is reported as failing."""
    server = redis_server()
    probe = ProbeReader({"queues": server.url})
    with server.client() as client:
        client.set("key", 1)
        directory = tmp_path / "redis-0" / "appendonlydir"
        shutil.rmtree(directory)
        directory.write_text("in the way")
        with pytest.raises(redis.ResponseError):
            client.bgrewriteaof()
    assert probe.read()["persistence_failing"] == {("queues",): 1}


@pytest.mark.parametrize("ahead", [-100.0, 100.0])
def test_redis_probe_with_a_skewed_clock_reports_the_difference(redis_url: str, ahead: float) -> None:
    """The skew is positive if the process's clock is ahead of the Redis clock."""
    values = ProbeReader({"queues": redis_url}, ManualClock(time.time() + ahead)).read()
    assert values["clock_skew_seconds"][("queues",)] == pytest.approx(ahead, abs=5)


def test_redis_probe_without_details_sends_only_time(redis_client: "redis.Redis", redis_url: str) -> None:
    """Without details the probe does not send INFO, and the families that need INFO are absent."""
    probe = ProbeReader({"queues": redis_url}, details=False)
    redis_client.config_resetstat()
    assert set(probe.read()) == {"up", "clock_skew_seconds", "answered"}
    stats = redis_client.info("commandstats")
    assert stats["cmdstat_time"]["calls"] == 1
    assert "cmdstat_info" not in stats


def test_redis_probe_with_two_servers_reports_each(redis_server: StartRedis) -> None:
    """A hanging server is down without values, and the other one keeps its values. Later both have values again."""
    queues, data = redis_server("--maxmemory", "64mb"), redis_server("--maxmemory", "32mb")
    probe = ProbeReader({"queues": queues.url, "data": data.url})
    before = probe.read()
    assert before["up"] == {("queues",): 1, ("data",): 1}
    assert before["memory_max_bytes"] == {("queues",): 64 * 1024**2, ("data",): 32 * 1024**2}
    data.hang()
    hung = probe.read()
    assert hung["up"] == {("queues",): 1, ("data",): 0}
    assert hung["answered"] == {(): 0}
    for family in ("memory_max_bytes", "memory_used_bytes", "clock_skew_seconds", "persistence_failing"):
        assert set(hung[family]) == {("queues",)}
    data.resume()
    labels = {name: set(series) for name, series in before.items()}
    eventually(lambda: {name: set(series) for name, series in probe.read().items()} == labels, "both have values again")


def test_redis_probe_with_a_restarted_server_reports_up_again(redis_server: StartRedis) -> None:
    """A killed server is down immediately. After its restart it is up at the next read."""
    server = redis_server()
    probe = ProbeReader({"queues": server.url})
    assert probe.read()["up"] == {("queues",): 1}
    server.kill()
    assert probe.read()["up"] == {("queues",): 0}
    server.start()
    assert probe.read()["up"] == {("queues",): 1}


@pytest.mark.parametrize(
    ("command", "lost", "code"),
    [("INFO", "memory_used_bytes", "not-checked"), ("TIME", "clock_skew_seconds", "denied")],
    ids=["INFO", "TIME"],
)
def test_redis_probe_with_a_refused_command_reports_it_as_a_problem(
    redis_server: StartRedis, command: str, lost: str, code: str
) -> None:
    """A Redis that refuses a command has replied, so it is up. What the command would have told is missing, and the
    refusal is a problem until the command is allowed.
    """
    server = redis_server()
    with server.client() as client:
        client.acl_setuser("probe", enabled=True, passwords=["+pw"], keys=["*"], commands=["+@all", f"-{command}"])
        probe = ProbeReader({"queues": server.url.replace("//", "//probe:pw@")})
        values = probe.read()
        assert values["up"] == {("queues",): 1}
        assert values["answered"] == {(): 1}
        assert values.get(lost, {}) == {}
        assert values["problem"][("queues", code)] == 1
        client.acl_setuser("probe", commands=[f"+{command}"])
        values = probe.read()
        assert set(values[lost]) == {("queues",)}
        assert values["problem"][("queues", code)] == 0


def test_redis_probe_observes_the_duration_of_answers_only(redis_server: StartRedis) -> None:
    """Each reply is one observation. A command without a reply is not observed."""
    server = redis_server()
    probe = ProbeReader({"queues": server.url})

    def observed() -> float | None:
        name = "financehub_redis_command_duration_seconds_count"
        return probe.metrics.registry.get_sample_value(name, {"server": "queues"})

    probe.read()
    probe.read()
    assert observed() == 2
    server.hang()
    probe.read()
    server.resume()
    assert observed() == 2
