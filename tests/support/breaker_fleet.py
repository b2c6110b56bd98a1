"""Real processes that call one upstream behind a breaker, and what the upstream saw of them.

`python -m support.breaker_fleet` is one process; `run_fleet` starts several and gathers what they print.
"""

import argparse
import importlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import redis

TESTS = Path(__file__).parents[1]
#: Key that lets all processes begin at one instant.
GO = "breaker-fleet:go"
READY = "breaker-fleet:ready"

Call = Callable[[Callable[[], None]], None]


class DeadUpstreamError(Exception):
    """The upstream's failure."""


class RejectedError(Exception):
    """The breaker did not let the call through."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What all processes did together.

    Args:
        sent: (began, ended) of each call that reached the upstream, Unix seconds, in order of beginning.
        attempts: calls that were asked for, rejected ones included.
    """

    sent: list[tuple[float, float]]
    attempts: int


def ours(url: str, threshold: int, open_seconds: float) -> Call:
    """FinanceHub's breaker, blocking API."""
    from financehub_shared.breaker import BreakerRegistry, Policy
    from financehub_shared.clock import SystemClock
    from financehub_shared.errors import BreakerOpenError
    from financehub_shared.redis_scripts import RedisScripts

    clock = SystemClock()
    policy = Policy(minimum_calls=threshold, open_ms=round(open_seconds * 1000), open_max_ms=round(open_seconds * 1000))
    breaker = BreakerRegistry(policy, RedisScripts.of_url(url, clock), clock, ()).get("upstream")

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
    breaker: str = "support.breaker_fleet:ours",
) -> Seen:
    """Start `processes`, let them call for `seconds` and return what the upstream saw.

    Args:
        url: Redis of the breakers.
        processes: how many.
        seconds: for how long.
        threshold: failures that open the breaker.
        open_seconds: open time, not growing.
        latency: seconds a call takes.
        healthy: the upstream answers; else every call fails.
        breaker: `module:function(url, threshold, open_seconds) -> Call`.
    """
    options = [url, breaker, str(seconds), str(threshold), str(open_seconds), str(latency), str(int(healthy))]
    environment = {**os.environ, "PYTHONPATH": str(TESTS)}
    command = [sys.executable, "-m", "support.breaker_fleet", *options]
    started = [
        subprocess.Popen(command, env=environment, cwd=TESTS, stdout=subprocess.PIPE, text=True)
        for _ in range(processes)
    ]
    try:
        client = redis.Redis.from_url(url)
        _wait_for(lambda: client.llen(READY) == processes, "the processes to be ready")
        client.rpush(GO, "go")
        outputs = [process.communicate(timeout=seconds + 60)[0] for process in started]
        client.delete(GO, READY)
        client.close()
    finally:
        for process in started:
            if process.poll() is None:
                process.kill()
                process.wait()
    reports = [json.loads(output) for output in outputs]
    sent = sorted((began, ended) for report in reports for began, ended in report["sent"])
    return Seen(sent, sum(report["attempts"] for report in reports))


def rounds(sent: Sequence[tuple[float, float]], gap: float) -> list[int]:
    """Sizes of the groups of calls at least `gap` seconds apart: the first until it opened, then the probes."""
    sizes: list[int] = []
    last = float("-inf")
    for began, ended in sent:
        if began - last >= gap:
            sizes.append(0)
        sizes[-1] += 1
        last = max(last, ended)
    return sizes


def _wait_for(condition: Callable[[], bool], what: str) -> None:
    limit = time.monotonic() + 60
    while not condition():
        if time.monotonic() > limit:
            raise TimeoutError(f"waited 60 s for {what}")
        time.sleep(0.005)


def _main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("breaker")
    for name in ("seconds", "threshold", "open_seconds", "latency", "healthy"):
        parser.add_argument(name, type=float)
    options = parser.parse_args()
    module, function = options.breaker.split(":")
    call: Call = getattr(importlib.import_module(module), function)(
        options.url, int(options.threshold), options.open_seconds
    )
    # the worker raises these of its own module, not those of __main__
    errors = importlib.import_module("support.breaker_fleet")
    sent: list[tuple[float, float]] = []

    def upstream() -> None:
        began = time.time()
        time.sleep(options.latency)
        sent.append((began, time.time()))
        if not options.healthy:
            raise errors.DeadUpstreamError

    client = redis.Redis.from_url(options.url)
    client.rpush(READY, os.getpid())
    _wait_for(lambda: bool(client.exists(GO)), "the start")
    client.close()
    attempts, end = 0, time.monotonic() + options.seconds
    while time.monotonic() < end:
        attempts += 1
        try:
            call(upstream)
        except errors.DeadUpstreamError:
            pass
        except errors.RejectedError:
            time.sleep(0.01)
    sys.stdout.write(json.dumps({"sent": sent, "attempts": attempts}))


if __name__ == "__main__":
    _main()
