"""The bugs that a soak plants are real ones: the figures that it reads from the machine show each of them."""

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from soak.planted import BUGS
from soak.processes import Found, measure
from soak.samples import ProcessSample
from soak.verdict import tolerance

_RESEARCH = Path(__file__).parents[2] / "e2e" / "research"
#: Strikes as often as each line of its input says, and answers with the number of metric series and of recorded runs.
_PROGRAM = """
import sys, uuid
import redis
from prometheus_client import CollectorRegistry
from research.planted import PlantedBugs
registry = CollectorRegistry()
bugs = PlantedBugs(sys.argv[1], redis.Redis.from_url(sys.argv[2]), registry)
number = 0
for line in sys.stdin:
    recorded = 0
    for _ in range(int(line)):
        number += 1
        recorded += bugs.strike(str(uuid.uuid5(uuid.NAMESPACE_DNS, str(number))))
    series = sum(len(family.samples) for family in registry.collect())
    print(series, recorded, flush=True)
"""
_STRIKES = 2_000


@dataclass
class Planted:
    """A process with planted bugs.

    Args:
        process: The process.
    """

    process: "subprocess.Popen[str]"

    def strike(self, times: int) -> tuple[ProcessSample, int, int]:
        """Let the bugs strike, and return the figures of the process, its series and its recorded runs."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{times}\n")
        self.process.stdin.flush()
        series, recorded = map(int, self.process.stdout.readline().split())
        stat = Path(f"/proc/{self.process.pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        found = Found(self.process.pid, "", "", is_main=False, started=int(stat[19]))
        sample = measure(found, "research", "research-a")
        assert sample is not None
        return sample, series, recorded


@pytest.fixture
def planted(redis_url: str, request: pytest.FixtureRequest) -> Iterator[Planted]:
    """A process with the bugs of the parameter."""
    environment = {**os.environ, "PYTHONPATH": str(_RESEARCH)}
    command = [sys.executable, "-c", _PROGRAM, request.param, redis_url]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, env=environment, text=True, **pipes) as process:  # type: ignore[call-overload]
        yield Planted(process)
        process.stdin.close()


@pytest.mark.parametrize("planted", [",".join(BUGS)], indirect=True)
def test_planted_bugs_show_in_the_figures(planted: Planted, redis_client: Any) -> None:
    """After some thousand runs, memory, descriptors, sockets, threads, series and keys have grown, and runs are lost.

    The growth of 2,000 runs, as within a minute and a half of the load, is beyond what a process may gain in its life.
    """
    before, series_before, _ = planted.strike(1)
    after, series_after, recorded = planted.strike(_STRIKES)
    for figure in ("rss", "pss", "descriptors", "sockets", "threads"):
        growth = getattr(after, figure) - getattr(before, figure)
        assert growth > tolerance("research child", figure, None), figure
    assert series_after - series_before > 300
    assert redis_client.dbsize() > 900
    assert 0 < _STRIKES - recorded < 20


@pytest.mark.parametrize("planted", [""], indirect=True)
def test_tier_without_planted_bugs_leaks_nothing(planted: Planted, redis_client: Any) -> None:
    """The variable is empty in every other soak."""
    before, series, _ = planted.strike(1)
    after, series_after, recorded = planted.strike(_STRIKES)
    assert (after.descriptors, after.sockets, after.threads) == (before.descriptors, before.sockets, before.threads)
    assert (series, series_after, recorded, redis_client.dbsize()) == (0, 0, _STRIKES, 0)
