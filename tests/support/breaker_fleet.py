"""Runs real processes that call one upstream through a breaker, and records the calls that reach the upstream.

`run_fleet` starts `python -m support.breaker_fleet`, which imports everything once and forks the processes. Thus they
start simultaneously, and starting eight of them takes as long as starting one.
"""

import argparse
import importlib
import json
import multiprocessing
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from multiprocessing.queues import SimpleQueue
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

TESTS = Path(__file__).parents[1]

Call = Callable[[Callable[[], None]], None]


class DeadUpstreamError(Exception):
    """The upstream's failure."""


class RejectedError(Exception):
    """The breaker rejected the call."""


@dataclass(frozen=True, slots=True)
class FleetCalls:
    """The calls of all processes together.

    Args:
        sent: Start and end in Unix seconds of each call that reached the upstream, in order of their starts.
        attempts: Number of calls, including rejected ones.
    """

    sent: list[tuple[float, float]]
    attempts: int


def financehub_breaker(url: str, threshold: int, open_seconds: float) -> Call:
    """Return a function that calls through FinanceHub's breaker, with its blocking API."""
    from financehub_shared.breaker import BreakerPolicy, BreakerRegistry
    from financehub_shared.core.clock import SystemClock
    from financehub_shared.core.errors import BreakerOpenError
    from financehub_shared.redis.client import connect, connect_async
    from financehub_shared.redis.scripts import RedisScripts

    clock = SystemClock()
    # The timeout is long, so that no process falls back to its local breaker.
    clients = (partial(build, url, timeout=30) for build in (connect, connect_async))
    scripts = RedisScripts(*clients, clock, timeout_seconds=30)
    open_ms = round(open_seconds * 1000)
    policy = BreakerPolicy(minimum_calls=threshold, open_ms=open_ms, open_max_ms=open_ms)
    breaker = BreakerRegistry(policy, scripts, clock, ()).get("upstream")

    def call(send: Callable[[], None]) -> None:
        try:
            breaker.call(send)
        except BreakerOpenError as error:
            raise RejectedError from error

    return call


def run_fleet(
    url: str,
    *,
    processes: int,
    seconds: float,
    threshold: int,
    open_seconds: float,
    latency: float = 0.3,
    healthy: bool = False,
    breaker: str = "support.breaker_fleet:financehub_breaker",
) -> FleetCalls:
    """Start `processes`, let them call for `seconds` and return their calls.

    Args:
        url: URL of the Redis that stores the breakers.
        processes: Number of processes.
        seconds: Duration in seconds.
        threshold: Number of failures that open the breaker.
        open_seconds: Open time in seconds, which does not grow.
        latency: Duration of a call in seconds.
        healthy: Whether calls succeed. Otherwise every call fails.
        breaker: `module:function(url, threshold, open_seconds) -> Call`.
    """
    numbers = (processes, seconds, threshold, open_seconds, latency, int(healthy))
    command = [sys.executable, "-m", "support.breaker_fleet", url, breaker, *map(str, numbers)]
    environment = {**os.environ, "PYTHONPATH": str(TESTS)}
    output = subprocess.run(
        command, env=environment, cwd=TESTS, stdout=subprocess.PIPE, timeout=seconds + 60, check=True
    ).stdout
    reports = json.loads(output)
    sent = sorted((started, ended) for report in reports for started, ended in report["sent"])
    return FleetCalls(sent, sum(report["attempts"] for report in reports))


def rounds(sent: Sequence[tuple[float, float]], gap: float) -> list[int]:
    """Return the sizes of the call groups that are at least `gap` seconds apart.

    The first group contains the calls until the breaker opened, and the other groups contain probes.
    """
    sizes: list[int] = []
    last = float("-inf")
    for started, ended in sent:
        if started - last >= gap:
            sizes.append(0)
        sizes[-1] += 1
        last = max(last, ended)
    return sizes


def _work(options: argparse.Namespace, call: Call, start: Barrier, reports: "SimpleQueue[dict[str, Any]]") -> None:
    """Run one process, which calls for the given duration and then reports its calls."""
    # Breakers raise the errors of this module under its own name, not under __main__.
    errors = importlib.import_module("support.breaker_fleet")
    sent: list[tuple[float, float]] = []

    def upstream() -> None:
        started = time.time()
        time.sleep(options.latency)
        sent.append((started, time.time()))
        if not options.healthy:
            raise errors.DeadUpstreamError

    start.wait(60)
    attempts, end = 0, time.monotonic() + options.seconds
    while time.monotonic() < end:
        attempts += 1
        try:
            call(upstream)
        except errors.DeadUpstreamError:
            pass
        except errors.RejectedError:
            time.sleep(0.01)
    reports.put({"sent": sent, "attempts": attempts})


def _main() -> None:
    parser = argparse.ArgumentParser()
    for name, kind in (
        ("url", str),
        ("breaker", str),
        ("processes", int),
        ("seconds", float),
        ("threshold", int),
        ("open_seconds", float),
        ("latency", float),
        ("healthy", int),
    ):
        parser.add_argument(name, type=kind)
    options = parser.parse_args()
    module, function = options.breaker.split(":")
    # Clients connect on their first command, so each process has its own connection.
    call: Call = getattr(importlib.import_module(module), function)(
        options.url, options.threshold, options.open_seconds
    )
    fork = multiprocessing.get_context("fork")
    start, reports = fork.Barrier(options.processes), fork.SimpleQueue()
    for _ in range(options.processes):
        fork.Process(target=_work, args=(options, call, start, reports), daemon=True).start()
    json.dump([reports.get() for _ in range(options.processes)], sys.stdout)


if __name__ == "__main__":
    _main()
