"""Fixtures for a fleet and a real Prometheus that scrapes it, with the chart's rules sped up to seconds."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support.fleet import Fleet
from support.prometheus import SCRAPE_SECONDS, Prometheus
from support.redis_server import RedisServer
from support.simulator import RunningSimulator
from support.waiting import eventually

#: Outages in these tests start and end within seconds, so retries and breakers must react quickly.
SETTINGS = {
    "DRAMATIQ_MAX_RETRIES": "0",
    "FINANCEHUB_BREAKER_MINIMUM_CALLS": "3",
    "FINANCEHUB_MAX_WORKERS": "high=3,medium=3,low=2",
}


class MonitoredFleet:
    """A fleet and the Prometheus that scrapes it.

    Args:
        fleet: Fleet whose processes the test starts.
        prometheus: Prometheus that scrapes the running processes.
    """

    def __init__(self, fleet: Fleet, prometheus: Prometheus) -> None:
        self.fleet = fleet
        self.prometheus = prometheus
        self._since = time.monotonic()

    def start(self, *tiers: str) -> None:
        """Start a scheduler and the given tiers, and wait until all of them are scraped."""
        self.fleet.start_scheduler()
        for tier in tiers:
            self.fleet.start_tier(tier)
        self.scrape()

    def scrape(self) -> None:
        """Scrape the processes that run now, and wait until every target is up."""
        self.prometheus.scrape(self.fleet.ports)
        addresses = {f"127.0.0.1:{port}": "up" for port in self.fleet.ports.values()}
        eventually(lambda: self.prometheus.targets() == addresses, "all targets are up", 120)

    def kill(self, name: str) -> None:
        """Kill a process with SIGKILL and stop scraping it, as Prometheus does for a deleted pod."""
        self.fleet.kill(name)
        del self.fleet.ports[name]
        self.prometheus.scrape(self.fleet.ports)

    def wait_until_firing(self, *alerts: str, within: float = 120) -> None:
        """Wait until all of the given alerts fire."""
        limit = time.monotonic() + within
        while missing := {*alerts} - (firing := self.prometheus.firing()):
            assert time.monotonic() < limit, f"not firing within {within} s: {missing}; firing: {firing or 'none'}"
            time.sleep(0.2)

    def wait_until_resolved(self, *alerts: str, within: float = 120) -> None:
        """Wait until none of the given alerts fires, or, without names, until no alert fires."""
        chosen = set(alerts)
        eventually(
            lambda: not (self.prometheus.firing() & chosen if chosen else self.prometheus.firing()),
            f"{alerts or 'all alerts'} have ended",
            within,
        )

    @property
    def fired(self) -> set[str]:
        """The alerts that have fired since the start."""
        return self.prometheus.fired(time.monotonic() - self._since + 1)


StartFleet = Callable[..., MonitoredFleet]


@pytest.fixture
def start_fleet(tmp_path: Path, redis_server: Callable[..., RedisServer]) -> Iterator[StartFleet]:
    """Return a function that builds a fleet with its Prometheus. Its keyword arguments are settings of the fleet."""
    simulator = RunningSimulator(enforce_rate_limits=False)
    built: list[MonitoredFleet] = []

    def build(*, scrape_seconds: int = SCRAPE_SECONDS, **environment: str) -> MonitoredFleet:
        server = redis_server("--maxmemory", "200mb")
        fleet = Fleet(tmp_path, server, simulator, {**SETTINGS, **environment})
        built.append(MonitoredFleet(fleet, Prometheus(tmp_path, scrape_seconds=scrape_seconds).wait_until_ready()))
        return built[-1]

    with simulator:
        yield build
        for monitored in built:
            monitored.prometheus.stop()
            monitored.fleet.stop()
