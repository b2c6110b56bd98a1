"""/metrics of a whole fleet while its Redis hangs or is full, with one Redis and with two."""

import time
import urllib.request
from collections.abc import Callable, Iterable

import pytest
import redis
from prometheus_client.metrics_core import Metric

from financehub_shared.core.catalog import CATALOG
from integration.fleet.conftest import StartFleet
from support.fleet import Fleet, eventually
from support.metrics import families
from support.redis_server import RedisServer

TIERS = ("high", "medium", "low")
PROCESSES = ("scheduler", *TIERS)
#: Longest answer, whatever hangs.
LIMIT_SECONDS = 2.0
#: Read from Redis, by the process that serves them.
FROM_REDIS = {
    "scheduler": {
        "queue_messages",
        "queue_workers",
        "data_stale",
        "data_assets",
        "circuit_breaker_state",
        "schedule_consecutive_failures",
        "redis_memory_used_bytes",
    },
    "high": {"provider_budget_used_units"},
}


class Scrape:
    """What a process answered.

    Args:
        port: where it listens.
    """

    def __init__(self, port: int) -> None:
        begun = time.monotonic()
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
            body = answer.read().decode()
        self.seconds = time.monotonic() - begun
        self._families: dict[str, Metric] = families(body)

    def series(self, name: str) -> dict[tuple[str, ...], float]:
        """Label values, without those that every series has, → value; of a histogram only its counts."""
        family = self._families.get(f"financehub_{name}")
        return {
            tuple(
                value for label, value in sorted(one.labels.items()) if label not in {"release", "component"}
            ): one.value
            for one in (family.samples if family else ())
            if family is not None and (family.type != "histogram" or one.name.endswith("_count"))
        }

    def names(self) -> set[str]:
        """Families with series."""
        return {name.removeprefix("financehub_") for name, family in self._families.items() if family.samples}


def scrapes(fleet: Fleet) -> dict[str, Scrape]:
    """A scrape of every process."""
    return {name: Scrape(fleet.ports[name]) for name in PROCESSES}


def ended(scrape: Scrape) -> float:
    """Tries that have ended well."""
    return sum(value for key, value in scrape.series("messages").items() if "succeeded" in key)


def at_work(fleet: Fleet) -> dict[str, Scrape]:
    """Start all processes, wait until each has done work and shows all its figures, and scrape them."""
    for task in CATALOG:
        fleet.schedule(task.replace("_", "-"), task, "@every 2s")
    fleet.start_scheduler()
    for tier in TIERS:
        fleet.start_tier(tier)
    return eventually("all processes are at work", lambda: _at_work(fleet))


def _at_work(fleet: Fleet) -> dict[str, Scrape]:
    try:
        seen = scrapes(fleet)
    except OSError:
        return {}  # not up yet
    good = all(ended(seen[tier]) for tier in TIERS) and seen["scheduler"].series("schedule_lag_seconds")
    return seen if good and not missing(seen) else {}


def missing(seen: dict[str, Scrape]) -> dict[str, set[str]]:
    """Process → families read from Redis that it does not serve."""
    return {name: lacking for name, wanted in FROM_REDIS.items() if (lacking := wanted - seen[name].names())}


def assert_own_figures_stay(before: dict[str, Scrape], during: dict[str, Scrape]) -> None:
    """What a process counts itself never goes back, and none of it is left out."""
    for name in PROCESSES:
        own = "schedule_lag_seconds" if name == "scheduler" else "messages"
        earlier, later = before[name].series(own), during[name].series(own)
        assert earlier, name
        assert all(later[key] >= value for key, value in earlier.items()), name
        assert {"build_info", "redis_command_duration_seconds"} <= during[name].names()
    assert sum(during["scheduler"].series("schedules").values()) == len(CATALOG)


def assert_back(fleet: Fleet, before: dict[str, Scrape], servers: Iterable[str]) -> None:
    """All figures are there again, and work goes on."""

    def back() -> bool:
        seen = scrapes(fleet)
        return (
            all(one.series("redis_up") == {(server,): 1.0 for server in servers} for one in seen.values())
            and not missing(seen)
            and all(ended(seen[tier]) > ended(before[tier]) for tier in TIERS)
            and all(before[name].names() <= seen[name].names() for name in PROCESSES)
        )

    eventually("everything is back", back)


def test_a_hung_redis_leaves_every_process_with_what_it_knows_itself(fleet: StartFleet) -> None:
    """All four answer within 2 s, again and again, with redis_up 0, their own counters, and nothing read from Redis;
    when Redis goes on, everything is back.
    """
    running = fleet()
    before = at_work(running)
    running.server.hang()
    try:
        # over connections that were open, over new ones, and while the process has given up on some
        for _ in range(3):
            during = scrapes(running)
            assert {name: one.series("redis_up") for name, one in during.items()} == {
                name: {("queues",): 0.0} for name in PROCESSES
            }
            assert max(one.seconds for one in during.values()) < LIMIT_SECONDS
            for name, wanted in FROM_REDIS.items():
                assert during[name].names() & wanted == set()
            assert_own_figures_stay(before, during)
    finally:
        running.server.resume()
    assert_back(running, before, ["queues"])


def _with_redis(fleet: Fleet) -> dict[str, Scrape]:
    """A scrape of all in which nothing took longer than a loaded machine lets it; empty while there is none."""
    seen = scrapes(fleet)
    up = all(one.series("redis_up") == {("queues",): 1.0} for one in seen.values())
    # a worker leaves scripts alone for seconds after Redis has refused one, and its budgets with them
    return seen if up and missing(seen).keys() <= {"high"} else {}


def test_a_full_redis_is_up_and_shows_its_memory(fleet: StartFleet) -> None:
    """At `maxmemory` with `noeviction` every process finds Redis up, and the scheduler shows how full it is and all
    that can be read.
    """
    running = fleet()
    before = at_work(running)
    with running.redis() as client:
        client.config_set("maxmemory", "1mb")
        with pytest.raises(redis.OutOfMemoryError):
            client.set("more", 1)
        during = eventually("Redis is up for all, and its figures are there", lambda: _with_redis(running))
        scheduler = during["scheduler"]
        assert scheduler.series("redis_memory_max_bytes") == {("queues",): 1024**2}
        assert scheduler.series("redis_memory_used_bytes")[("queues",)] > 1024**2
        assert scheduler.series("redis_eviction_policy_info") == {("noeviction", "queues"): 1.0}
        assert_own_figures_stay(before, during)
        client.config_set("maxmemory", "0")
    assert_back(running, before, ["queues"])


def test_two_servers_are_told_apart_and_either_may_hang(
    fleet: StartFleet, redis_server: Callable[..., RedisServer]
) -> None:
    """With queues and data in two servers each has series of its own; every process says which of them hangs, within
    2 s also when both do, and all is back afterwards.
    """
    servers = {"queues": redis_server("--maxmemory", "64mb")}
    running = fleet("--maxmemory", "32mb", DRAMATIQ_BROKER_URL=servers["queues"].url)
    servers["data"] = running.server
    before = at_work(running)
    sizes = before["scheduler"].series("redis_memory_max_bytes")
    assert sizes == {("queues",): 64 * 1024**2, ("data",): 32 * 1024**2}
    for hung in ({"queues"}, {"data"}, {"queues", "data"}):
        for name in hung:
            servers[name].hang()
        try:
            during = scrapes(running)
        finally:
            for name in hung:
                servers[name].resume()
        up = {(name,): float(name not in hung) for name in servers}
        assert {name: one.series("redis_up") for name, one in during.items()} == dict.fromkeys(PROCESSES, up)
        assert max(one.seconds for one in during.values()) < LIMIT_SECONDS
        assert during["scheduler"].series("redis_memory_max_bytes").keys() == sizes.keys() - {(name,) for name in hung}
        assert_own_figures_stay(before, during)
        assert_back(running, before, servers)
        before = scrapes(running)
