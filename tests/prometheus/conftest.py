"""A fleet and a real Prometheus that scrapes it with the chart's rules, in which minutes are seconds."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from financehub_simulator.testing import RunningSimulator
from support.fleet import Fleet, eventually
from support.prometheus import SCRAPE_SECONDS, Prometheus
from support.redis_server import RedisServer

#: Outages in these tests start and end within seconds, so every interval of the fleet is short.
SETTINGS = {
    "DRAMATIQ_MAX_RETRIES": "0",
    "FINANCEHUB_BREAKER_MINIMUM_CALLS": "3",
    "FINANCEHUB_MAX_WORKERS": "high=3,medium=3,low=2",
}


class Watched:
    """A fleet, and the Prometheus that watches it.

    Args:
        fleet: the test starts its processes.
        prometheus: scrapes those that run.
    """

    def __init__(self, fleet: Fleet, prometheus: Prometheus) -> None:
        self.fleet = fleet
        self.prometheus = prometheus
        self._since = time.monotonic()

    def start(self, *tiers: str) -> None:
        """Start a scheduler and these tiers, and wait until all are scraped."""
        self.fleet.start_scheduler()
        for tier in tiers:
            self.fleet.start_tier(tier)
        self.scrape()

    def scrape(self) -> None:
        """Scrape what runs now, and wait until every target is up."""
        self.prometheus.scrape(self.fleet.ports)
        addresses = {f"127.0.0.1:{port}": "up" for port in self.fleet.ports.values()}
        eventually("all targets are up", lambda: self.prometheus.targets() == addresses)

    def kill(self, name: str) -> None:
        """SIGKILL a process; like a pod that is gone, it is no longer scraped."""
        self.fleet.kill(name)
        del self.fleet.ports[name]
        self.prometheus.scrape(self.fleet.ports)

    def until_firing(self, *alerts: str, within: float = 60) -> None:
        """Wait until all of these alerts fire."""
        limit = time.monotonic() + within
        while missing := {*alerts} - (firing := self.prometheus.firing()):
            assert time.monotonic() < limit, f"not within {within} s: {missing} fire; {firing or 'none'} do"
            time.sleep(0.2)

    def until_calm(self, *alerts: str, within: float = 60) -> None:
        """Wait until none of these alerts fires; without names, until none does."""
        chosen = set(alerts)
        eventually(
            f"{alerts or 'all alerts'} have ended",
            lambda: not (self.prometheus.firing() & chosen if chosen else self.prometheus.firing()),
            within,
        )

    @property
    def fired(self) -> set[str]:
        """Every alert that has fired since the start."""
        return self.prometheus.fired(time.monotonic() - self._since + 1)


StartWatched = Callable[..., Watched]


@pytest.fixture
def watched(tmp_path: Path, redis_server: Callable[..., RedisServer]) -> Iterator[StartWatched]:
    """Build a fleet with its Prometheus; keywords are settings, `scrape_seconds` the time between two scrapes."""
    simulator = RunningSimulator(limited=False)
    built: list[Watched] = []

    def build(*, scrape_seconds: int = SCRAPE_SECONDS, **environment: str) -> Watched:
        server = redis_server("--maxmemory", "200mb")
        fleet = Fleet(tmp_path, server, simulator, {**SETTINGS, **environment})
        built.append(Watched(fleet, Prometheus(tmp_path, scrape_seconds=scrape_seconds).wait_until_ready()))
        return built[-1]

    with simulator:
        yield build
        for each in built:
            each.prometheus.stop()
            each.fleet.stop()
