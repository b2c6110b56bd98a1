"""Tests of a fleet's metrics while its Redis hangs or is full, with one Redis and with two."""

import time
import urllib.request
from collections.abc import Callable, Iterable

import pytest
import redis
from prometheus_client.metrics_core import Metric

from financehub_shared.core.catalog import CATALOG
from integration.fleet.conftest import StartFleet
from support.fleet import Fleet
from support.metrics import families
from support.redis_server import RedisServer
from support.stalls import Stalls
from support.waiting import eventually

pytestmark = pytest.mark.faults

TIERS = ("high", "medium", "low")
PROCESSES = ("scheduler", *TIERS)
#: Longest allowed duration of a scrape, in seconds, while a server hangs and the machine is not stalled.
LIMIT_SECONDS = 2.0
#: Process → metrics that it reads from Redis.
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
    """The metrics of one process at one time.

    Args:
        port: HTTP port of the process.
    """

    def __init__(self, port: int) -> None:
        started = time.monotonic()
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as answer:
            body = answer.read().decode()
        self.seconds = time.monotonic() - started
        self._families: dict[str, Metric] = families(body)

    def series(self, name: str) -> dict[tuple[str, ...], float]:
        """Return label values, without release and component → value. For a histogram, return only the counts."""
        family = self._families.get(f"financehub_{name}")
        return {
            tuple(
                value for label, value in sorted(sample.labels.items()) if label not in {"release", "component"}
            ): sample.value
            for sample in (family.samples if family else ())
            if family is not None and (family.type != "histogram" or sample.name.endswith("_count"))
        }

    def names(self) -> set[str]:
        """Return the names of the families that have series."""
        return {name.removeprefix("financehub_") for name, family in self._families.items() if family.samples}


def scrape_all(fleet: Fleet) -> dict[str, Scrape]:
    """Scrape every process."""
    return {name: Scrape(fleet.ports[name]) for name in PROCESSES}


def succeeded(scrape: Scrape) -> float:
    """Return the number of attempts that succeeded."""
    return sum(value for key, value in scrape.series("messages").items() if "succeeded" in key)


def start_and_wait(fleet: Fleet) -> dict[str, Scrape]:
    """Start all processes, wait until each has done work and exposes all its metrics, and scrape them."""
    for task in CATALOG:
        fleet.schedule(task.replace("_", "-"), task, "@every 2s")
    fleet.start_scheduler()
    for tier in TIERS:
        fleet.start_tier(tier)
    return eventually(lambda: _scrape_if_busy(fleet), "all processes have done work")


def _scrape_if_busy(fleet: Fleet) -> dict[str, Scrape]:
    try:
        scrapes = scrape_all(fleet)
    except OSError:
        return {}  # not started yet
    busy = all(succeeded(scrapes[tier]) for tier in TIERS) and scrapes["scheduler"].series("schedule_lag_seconds")
    return scrapes if busy and not missing(scrapes) else {}


def missing(scrapes: dict[str, Scrape]) -> dict[str, set[str]]:
    """Return process → metrics read from Redis that it does not expose."""
    return {name: absent for name, expected in FROM_REDIS.items() if (absent := expected - scrapes[name].names())}


def assert_own_metrics_stay(before: dict[str, Scrape], during: dict[str, Scrape]) -> None:
    """Check that the metrics that a process counts itself neither decrease nor disappear."""
    for name in PROCESSES:
        own = "schedule_lag_seconds" if name == "scheduler" else "messages"
        earlier, later = before[name].series(own), during[name].series(own)
        assert earlier, name
        assert all(later[key] >= value for key, value in earlier.items()), name
        assert {"build_info", "redis_command_duration_seconds"} <= during[name].names()
    assert sum(during["scheduler"].series("schedules").values()) == len(CATALOG)


def assert_recovered(fleet: Fleet, before: dict[str, Scrape], servers: Iterable[str]) -> None:
    """Wait until all metrics are exposed again and tasks run again."""

    def recovered() -> bool:
        scrapes = scrape_all(fleet)
        return (
            all(scrape.series("redis_up") == {(server,): 1.0 for server in servers} for scrape in scrapes.values())
            and not missing(scrapes)
            and all(succeeded(scrapes[tier]) > succeeded(before[tier]) for tier in TIERS)
            and all(before[name].names() <= scrapes[name].names() for name in PROCESSES)
        )

    eventually(recovered, "all metrics are exposed again", ignored=OSError)


@pytest.mark.alone
def test_scrape_with_hung_redis_has_own_metrics_within_limit(fleet: StartFleet) -> None:
    """Every process responds to each scrape within 2 s, with redis_up 0, its own counters and no metric from Redis, and
    exposes all metrics again after Redis has recovered.
    """
    running = fleet()
    before = start_and_wait(running)
    running.server.hang()
    try:
        # on open connections, on new ones, and after the process has abandoned some of them
        for _ in range(3):
            with Stalls() as stalls:
                during = scrape_all(running)
            assert {name: scrape.series("redis_up") for name, scrape in during.items()} == {
                name: {("queues",): 0.0} for name in PROCESSES
            }
            assert max(scrape.seconds for scrape in during.values()) < LIMIT_SECONDS + stalls.longest
            for name, absent in FROM_REDIS.items():
                assert during[name].names() & absent == set()
            assert_own_metrics_stay(before, during)
    finally:
        running.server.resume()
    assert_recovered(running, before, ["queues"])


def _scrape_if_redis_up(fleet: Fleet) -> dict[str, Scrape]:
    """Scrape all processes. Empty unless Redis is up for all of them."""
    scrapes = scrape_all(fleet)
    up = all(scrape.series("redis_up") == {("queues",): 1.0} for scrape in scrapes.values())
    # after Redis has refused a script, a worker runs no script for some seconds, so it has no budgets
    return scrapes if up and missing(scrapes).keys() <= {"high"} else {}


def test_scrape_with_full_redis_shows_its_memory(fleet: StartFleet) -> None:
    """With `maxmemory` reached and `noeviction`, Redis is up for every process, and the scheduler exposes its memory
    and everything that can be read.
    """
    running = fleet()
    before = start_and_wait(running)
    with running.redis() as client:
        client.config_set("maxmemory", "1mb")
        with pytest.raises(redis.OutOfMemoryError):
            client.set("more", 1)
        during = eventually(
            lambda: _scrape_if_redis_up(running),
            "Redis is up for all processes, and its metrics are exposed",
            ignored=OSError,
        )
        scheduler = during["scheduler"]
        assert scheduler.series("redis_memory_max_bytes") == {("queues",): 1024**2}
        assert scheduler.series("redis_memory_used_bytes")[("queues",)] > 1024**2
        assert scheduler.series("redis_eviction_policy_info") == {("noeviction", "queues"): 1.0}
        assert_own_metrics_stay(before, during)
        client.config_set("maxmemory", "0")
    assert_recovered(running, before, ["queues"])


@pytest.mark.alone
def test_scrape_with_two_servers_shows_which_one_hangs(
    fleet: StartFleet, redis_server: Callable[..., RedisServer]
) -> None:
    """Each of two servers has its own series. Every process shows which of them hangs, within 2 s even if both hang,
    and exposes all metrics again afterwards.
    """
    servers = {"queues": redis_server("--maxmemory", "64mb")}
    running = fleet("--maxmemory", "32mb", DRAMATIQ_BROKER_URL=servers["queues"].url)
    servers["data"] = running.server
    before = start_and_wait(running)
    sizes = before["scheduler"].series("redis_memory_max_bytes")
    assert sizes == {("queues",): 64 * 1024**2, ("data",): 32 * 1024**2}
    for hung in ({"queues"}, {"data"}, {"queues", "data"}):
        for name in hung:
            servers[name].hang()
        try:
            with Stalls() as stalls:
                during = scrape_all(running)
        finally:
            for name in hung:
                servers[name].resume()
        up = {(name,): float(name not in hung) for name in servers}
        assert {name: scrape.series("redis_up") for name, scrape in during.items()} == dict.fromkeys(PROCESSES, up)
        assert max(scrape.seconds for scrape in during.values()) < LIMIT_SECONDS + stalls.longest
        assert during["scheduler"].series("redis_memory_max_bytes").keys() == sizes.keys() - {(name,) for name in hung}
        assert_own_metrics_stay(before, during)
        assert_recovered(running, before, servers)
        before = scrape_all(running)
