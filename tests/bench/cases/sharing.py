"""Measures bursts of 10,000 runs with one, two and three schedulers that share them, and with faults of one of them.

The work of Redis is the number of its commands, those in scripts included, and its CPU time. Both are comparable on a
busy machine. The lateness is not.
"""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from statistics import median
from typing import Any

from bench.arrivals import burst_lateness
from bench.cases.scheduler import HEAD
from bench.process_trees import cpu_seconds
from bench.rows import Row
from financehub_shared.redis import keys
from support.redis_server import RedisServer

_COUNT = 10_000
_SIZES = (1, 2, 3)
_BURSTS = 3
_INTERVAL = 30
#: Seconds before a burst at which the queue is emptied, and at which the period of the one before it ends. A period has
#: one renewal of all claims.
_BEFORE = 0.5
#: Seconds after which the others know that a scheduler is gone.
_LONG = 6.0
_QUEUE = "dramatiq:bench"
_HEAD = f"{HEAD}  concurrencyPolicy: Allow\n"
_BENCH = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class _Burst:
    """One burst: p99 lateness (ms), commands and CPU time of Redis (ms), and CPU time of the busiest scheduler (s)."""

    p99: float
    commands: int
    redis: float
    cpu: float


def run() -> list[Row]:
    """Measure each number of schedulers, and how late the last run is after a fault of one of them.

    It is killed or stopped just before the burst, or stopped so early that the others have removed it from the members.
    """
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as directory:
        server = RedisServer(Path(directory), aof=False).start()
        try:
            found = {size: _measure(server, Path(directory), size) for size in _SIZES}
            faults = {
                "killed_of_2": _with_fault(server, Path(directory), 2, signal.SIGKILL),
                "killed_of_3": _with_fault(server, Path(directory), 3, signal.SIGKILL),
                "hung_of_2": _with_fault(server, Path(directory), 2, signal.SIGSTOP),
                "hung_long_of_2": _with_fault(server, Path(directory), 2, signal.SIGSTOP, ahead=_LONG),
            }
        finally:
            server.stop()
    one = found[1]
    for size, burst in found.items():
        goals: tuple[Any, ...] = ("", None, "", None, "", None)
        if size > 1:
            goal = "<= 1.1 x one scheduler"
            count, work = burst.commands <= 1.1 * one.commands, burst.redis <= 1.1 * one.redis
            goals = (goal, count, goal, work, "<= one scheduler", burst.p99 <= one.p99)
        name = f"sharing.burst_10k.schedulers_{size}"
        rows += [
            Row(f"{name}.commands", burst.commands, "commands", goal=goals[0], ok=goals[1]),
            Row(f"{name}.redis", burst.redis, "ms", goal=goals[2], ok=goals[3]),
            Row(f"{name}.p99", burst.p99, "ms", goal=goals[4], ok=goals[5]),
            Row(f"{name}.cpu", burst.cpu, "s"),
        ]
    return [
        *rows,
        *(Row(f"sharing.{name}.last", late, "ms", goal="< 1000", ok=late < 1_000) for name, late in faults.items()),
    ]


def _measure(server: RedisServer, folder: Path, size: int) -> _Burst:
    """Return the median of each figure of some bursts. The first one, which fills empty hashes, does not count."""
    with _schedulers(server, folder, size) as pids:
        bursts = [_burst(server.client(), pids) for _ in range(_BURSTS)][1:]
    return _Burst(*(median(getattr(burst, field.name) for burst in bursts) for field in fields(_Burst)))


def _burst(client: Any, pids: list[int]) -> _Burst:
    due = _next_due(client)
    before, redis, commands = [cpu_seconds(pid) for pid in pids], _redis_cpu(client), _commands(client)
    late = burst_lateness(client, _QUEUE, due, _COUNT)
    time.sleep(max(0.0, due + _INTERVAL - _BEFORE - time.time()))
    commands, work = _commands(client) - commands, _redis_cpu(client) - redis
    cpu = max(cpu_seconds(pid) - start for pid, start in zip(pids, before, strict=True))
    return _Burst(late * 1000, commands, work * 1000, cpu)


def _redis_cpu(client: Any) -> float:
    """Return the CPU time of Redis so far, in seconds."""
    info = client.info("cpu")
    return float(info["used_cpu_user"] + info["used_cpu_sys"])


def _commands(client: Any) -> int:
    """Return the number of commands so far, those in scripts included."""
    return sum(int(each["calls"]) for each in client.info("commandstats").values())


def _next_due(client: Any) -> float:
    """Wait until shortly before the next burst, empty the queue, and return the due time."""
    due = ((time.time() + _BEFORE) // _INTERVAL + 1) * _INTERVAL
    time.sleep(max(0.0, due - time.time() - _BEFORE))
    client.delete(_QUEUE, f"{_QUEUE}.msgs")
    return due


def _with_fault(server: RedisServer, folder: Path, size: int, fault: signal.Signals, ahead: float = _BEFORE) -> float:
    """Return how late the last run of a burst is before which one of several schedulers gets a signal, in ms.

    Args:
        server: Redis.
        folder: A folder for the schedules.
        size: Number of schedulers.
        fault: The signal.
        ahead: Seconds from the signal to the burst. The default is half a second, in which nobody notices it.
    """
    with _schedulers(server, folder, size) as pids:
        client = server.client()
        _burst(client, pids)
        due = ((time.time() + ahead) // _INTERVAL + 1) * _INTERVAL
        time.sleep(due - ahead - time.time())
        client.delete(_QUEUE, f"{_QUEUE}.msgs")
        os.kill(pids[0], fault)
        return burst_lateness(client, _QUEUE, due, _COUNT, share=1.0) * 1000


@contextmanager
def _schedulers(server: RedisServer, folder: Path, size: int) -> Iterator[list[int]]:
    """Run schedulers, and yield their pids when all of them are members."""
    client: Any = server.client()
    client.flushall()
    schedules = folder / "schedules"
    schedules.mkdir(exist_ok=True)
    spec = f'  schedule: "@every {_INTERVAL}s"\n'
    (schedules / "all.yaml").write_text("---\n".join(_HEAD.format(number) + spec for number in range(_COUNT)))
    command = [sys.executable, "-m", "financehub_scheduler", "--broker", server.url, "--schedules", str(schedules)]
    env = {**os.environ, "PYTHONPATH": str(_BENCH), "FINANCEHUB_HTTP_PORT": "0", "REDIS_URL": server.url}
    with (folder / "out.log").open("ab") as log:
        processes = [subprocess.Popen(command, cwd=folder, env=env, stdout=log, stderr=log) for _ in range(size)]
        try:
            while client.zcard(keys.SCHEDULERS) < size:
                if any(process.poll() is not None for process in processes):
                    raise RuntimeError((folder / "out.log").read_text()[-2_000:])
                time.sleep(0.05)
            yield [process.pid for process in processes]
        finally:
            for process in processes:
                process.kill()
            for process in processes:
                process.wait()
