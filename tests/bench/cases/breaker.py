"""Eight processes before a dead upstream (0.3 s a failure, trip at 5, open for 2 s, 8 s), beside pybreaker."""

import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import redis

from bench.breaker_peer import shared
from bench.rows import Row
from support.breaker_fleet import Call, FleetCalls, ours, rounds, run_fleet
from support.redis_server import RedisServer

PROCESSES, THRESHOLD, OPEN_SECONDS, LATENCY, SECONDS = 8, 5, 2.0, 0.3, 8.0
#: Calls of one round follow each other at once; pybreaker's whole-second stamps cut its 2 s to 1 s at worst.
GAP = 0.6
OUT_OF_REACH = 1_000
PEER = "pybreaker 1.4.1 (Redis)"
#: What either breaker sends; what a script does inside the server is no command, and the fleet's own are others.
SENT = ("evalsha", "eval", "get", "set", "setnx", "incr", "watch", "unwatch", "multi", "exec")


@dataclass(frozen=True, slots=True)
class Figures:
    """What one breaker did.

    Args:
        to_trip: calls that reached the dead upstream until the fleet stopped.
        probes: the most calls of a later round.
        dead_commands: Redis commands for each call that was asked for, upstream dead.
        healthy_commands: the same, upstream well.
        failed_commands: the same, every call fails and the breaker stays closed (a threshold out of reach).
        threads_seconds: 8 threads, each a call of 0.2 s.
    """

    to_trip: int
    probes: int
    dead_commands: float
    healthy_commands: float
    failed_commands: float
    threads_seconds: float


def run() -> list[Row]:
    """Measure both breakers on one Redis."""
    with tempfile.TemporaryDirectory() as directory:
        server = RedisServer(Path(directory), aof=False).start()
        try:
            mine = _measure(server.url, "support.breaker_fleet:ours", ours)
            peer = _measure(server.url, "bench.breaker_peer:shared", shared)
        finally:
            server.stop()
    most = THRESHOLD + PROCESSES
    figures = [
        ("calls_to_trip", "calls", f"<= {THRESHOLD} + {PROCESSES} in flight", mine.to_trip, peer.to_trip, most),
        ("probes_a_round", "calls", "1", mine.probes, peer.probes, 1),
        ("commands_a_call.dead", "commands", "<= 1", mine.dead_commands, peer.dead_commands, 1),
        ("commands_a_call.healthy", "commands", "<= 1", mine.healthy_commands, peer.healthy_commands, 1),
        # a failure is told to the fleet at once, so that the fleet stops in time: docs/adr/0011
        ("commands_a_call.failed", "commands", "", mine.failed_commands, peer.failed_commands, None),
        ("threads_8x0.2s", "s", "< 0.4, side by side", mine.threads_seconds, peer.threads_seconds, 0.4),
    ]
    return [
        Row(f"breaker.{name}", value, unit, PEER, peer_value, goal, None if limit is None else value <= limit)
        for name, unit, goal, value, peer_value, limit in figures
    ]


def _measure(url: str, breaker: str, factory: Callable[[str, int, float], Call]) -> Figures:
    dead, dead_commands = _fleet(url, breaker, seconds=SECONDS, latency=LATENCY, healthy=False)
    _, healthy_commands = _fleet(url, breaker, seconds=2.0, latency=0.01, healthy=True)
    _, failed_commands = _fleet(url, breaker, seconds=0.5, latency=0.01, healthy=False, threshold=OUT_OF_REACH)
    to_trip, *probes = rounds(dead.sent, GAP)
    seconds = _threads(factory(url, THRESHOLD, OPEN_SECONDS))
    return Figures(to_trip, max(probes), dead_commands, healthy_commands, failed_commands, seconds)


def _fleet(
    url: str, breaker: str, *, seconds: float, latency: float, healthy: bool, threshold: int = THRESHOLD
) -> tuple[FleetCalls, float]:
    client = redis.Redis.from_url(url)
    client.flushall()
    client.config_resetstat()
    seen = run_fleet(
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
    commands = sum(stats.get(f"cmdstat_{name}", {"calls": 0})["calls"] for name in SENT)
    return seen, commands / seen.attempts


def _threads(call: Call) -> float:
    threads = [threading.Thread(target=call, args=(lambda: time.sleep(0.2),)) for _ in range(PROCESSES)]
    started = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return time.monotonic() - started
