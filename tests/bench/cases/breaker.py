"""Compares FinanceHub's breaker with pybreaker, in eight processes that call a dead upstream for 8 s.

A call fails after 0.3 s. Five failures open the breaker, for 2 s.
"""

import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import redis

from bench.breaker_peer import redis_pybreaker
from bench.rows import Row
from support.breaker_fleet import Call, FleetCalls, financehub_breaker, rounds, run_fleet
from support.redis_server import RedisServer

PROCESSES, THRESHOLD, OPEN_SECONDS, LATENCY, SECONDS = 8, 5, 2.0, 0.3, 8.0
#: Minimum number of seconds between two rounds of calls. pybreaker stores whole seconds, so its 2 s may be only 1 s.
GAP = 0.6
#: A threshold that no measurement reaches.
NEVER_REACHED = 1_000
PEER = "pybreaker 1.4.1 (Redis)"
#: The commands that either breaker sends. Commands inside a script do not count, and the fleet sends other commands.
COMMANDS = ("evalsha", "eval", "get", "set", "setnx", "incr", "watch", "unwatch", "multi", "exec")


@dataclass(frozen=True, slots=True)
class Measurements:
    """The measurements of one breaker.

    Args:
        calls_to_open: Calls that reached the dead upstream until the breaker was open for all processes.
        probes: Highest number of calls in a later round.
        dead_commands: Redis commands per attempted call while the upstream is dead.
        healthy_commands: Redis commands per attempted call while the upstream is healthy.
        failed_commands: Redis commands per attempted call while every call fails and the breaker stays closed.
        threads_seconds: Total duration in seconds of parallel calls in eight threads. Each call takes 0.2 s.
    """

    calls_to_open: int
    probes: int
    dead_commands: float
    healthy_commands: float
    failed_commands: float
    threads_seconds: float


def run() -> list[Row]:
    """Measure both breakers with one Redis."""
    with tempfile.TemporaryDirectory() as directory:
        server = RedisServer(Path(directory), aof=False).start()
        try:
            own = _measure(server.url, "support.breaker_fleet:financehub_breaker", financehub_breaker)
            peer = _measure(server.url, "bench.breaker_peer:redis_pybreaker", redis_pybreaker)
        finally:
            server.stop()
    limit_to_open = THRESHOLD + PROCESSES
    results = [
        (
            "calls_to_open",
            "calls",
            f"<= {THRESHOLD} + {PROCESSES} in flight",
            own.calls_to_open,
            peer.calls_to_open,
            limit_to_open,
        ),
        ("probes_per_round", "calls", "1", own.probes, peer.probes, 1),
        ("commands_per_call.dead", "commands", "<= 1", own.dead_commands, peer.dead_commands, 1),
        ("commands_per_call.healthy", "commands", "<= 1", own.healthy_commands, peer.healthy_commands, 1),
        # Each failure is reported to the fleet immediately, so that the fleet stops calling in time (docs/adr/0011).
        ("commands_per_call.failed", "commands", "", own.failed_commands, peer.failed_commands, None),
        ("threads_8x0.2s", "s", "< 0.4, in parallel", own.threads_seconds, peer.threads_seconds, 0.4),
    ]
    return [
        Row(f"breaker.{name}", value, unit, PEER, peer_value, goal, None if limit is None else value <= limit)
        for name, unit, goal, value, peer_value, limit in results
    ]


def _measure(url: str, breaker: str, factory: Callable[[str, int, float], Call]) -> Measurements:
    dead, dead_commands = _fleet(url, breaker, seconds=SECONDS, latency=LATENCY, healthy=False)
    _, healthy_commands = _fleet(url, breaker, seconds=2.0, latency=0.01, healthy=True)
    _, failed_commands = _fleet(url, breaker, seconds=0.5, latency=0.01, healthy=False, threshold=NEVER_REACHED)
    calls_to_open, *probes = rounds(dead.sent, GAP)
    seconds = _threads(factory(url, THRESHOLD, OPEN_SECONDS))
    return Measurements(calls_to_open, max(probes), dead_commands, healthy_commands, failed_commands, seconds)


def _fleet(
    url: str, breaker: str, *, seconds: float, latency: float, healthy: bool, threshold: int = THRESHOLD
) -> tuple[FleetCalls, float]:
    client = redis.Redis.from_url(url)
    client.flushall()
    client.config_resetstat()
    calls = run_fleet(
        url,
        processes=PROCESSES,
        seconds=seconds,
        threshold=threshold,
        open_seconds=OPEN_SECONDS,
        latency=latency,
        healthy=healthy,
        breaker=breaker,
    )
    stats = client.info("commandstats")
    client.close()
    commands = sum(stats.get(f"cmdstat_{name}", {"calls": 0})["calls"] for name in COMMANDS)
    return calls, commands / calls.attempts


def _threads(call: Call) -> float:
    threads = [threading.Thread(target=call, args=(lambda: time.sleep(0.2),)) for _ in range(PROCESSES)]
    started = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return time.monotonic() - started
