"""Measures one scheduler with 1,000 to 100,000 schedules from a folder: start, memory, lateness and CPU time.

`SIZES=1000,10000` in the environment measures fewer sizes, and `AOF=yes` a Redis with the append-only file of the
chart. CPU times and ratios are comparable on a busy machine, but lateness is not. `FLAMES=after` also draws a flame
graph of 10,000 runs in time, docs/images/flames-scheduled-run-after.svg; this needs py-spy.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import flames
from bench.arrivals import burst_lateness, lateness, quantile
from bench.cases.scheduler import HEAD
from bench.charts import Chart
from bench.process_trees import cpu_seconds, peak_mb
from bench.rows import Row
from financehub_shared.redis import keys
from support.redis_server import PATIENT_SECONDS, RedisServer

SIZES = (1_000, 3_000, 10_000, 30_000, 100_000)
#: The goals are for this size.
_LARGEST = 100_000
#: The flame graph is for this size.
_DRAWN = 10_000
_BURSTS = 3
#: Seconds between two bursts, in which everything about a burst must be finished, also on a busy machine.
_INTERVAL, _LONG_INTERVAL, _MANY = 30, 60, 50_000
_SPREAD = 60
#: Documents per file, because a file has a limit of 16 MB.
_PER_FILE = 10_000
_QUEUE = "dramatiq:bench"
#: As the chart configures Redis.
_AOF = ("--appendonly", "yes", "--appendfsync", "everysec")

CHARTS = (
    Chart("Start from a folder (s)", "schedules", {"all registered": "start", "CPU": "start_cpu"}, goal=15),
    Chart("Peak memory (MB)", "schedules", {"scheduler": "memory"}, goal=400),
    Chart("All due at the same time: p99 lateness (ms)", "schedules", {"burst": "burst_p99"}, goal=2_000),
    Chart("Spread over a minute: p99 lateness (ms)", "schedules", {"spread": "spread_p99"}, goal=10),
    Chart(
        "CPU of the scheduler per 1,000 runs (ms)",
        "schedules",
        {"burst": "cpu_per_1000_burst", "spread": "cpu_per_1000_spread"},
        linear=False,
    ),
    Chart(
        "CPU of Redis per run (µs)",
        "schedules",
        {"burst": "redis_cpu_per_run_burst", "spread": "redis_cpu_per_run_spread"},
        linear=False,
    ),
)


def run() -> list[Row]:
    """Measure each size with its own Redis."""
    sizes = [int(size) for size in os.environ.get("SIZES", "").split(",") if size] or SIZES
    return [row for size in sizes for row in _measure(size)]


@dataclass(frozen=True, slots=True)
class _Cost:
    """CPU time per run of the scheduler and of Redis, in seconds."""

    scheduler: float
    redis: float


def _measure(size: int) -> list[Row]:
    with tempfile.TemporaryDirectory() as directory:
        server = RedisServer(Path(directory), *(_AOF if "AOF" in os.environ else ()), aof=False).start()
        try:
            start, start_cpu, memory, bursts, burst_cost = _bursts(server, Path(directory), size)
            spread, spread_cost = _spread(server, Path(directory), size)
        finally:
            server.stop()
    goals = {"start": (start, 15), "memory": (memory, 400), "burst_p99": (bursts, 2_000), "spread_p99": (spread, 10)}
    units = {"start": "s", "memory": "MB", "burst_p99": "ms", "spread_p99": "ms"}
    rows = [
        _row(name, size, value, units[name], goal if size == _LARGEST else None)
        for name, (value, goal) in goals.items()
    ]
    rows.append(_row("start_cpu", size, start_cpu, "s"))
    for name, cost in (("burst", burst_cost), ("spread", spread_cost)):
        rows.append(_row(f"cpu_per_1000_{name}", size, cost.scheduler * 1_000_000, "ms"))
        rows.append(_row(f"redis_cpu_per_run_{name}", size, cost.redis * 1_000_000, "us"))
    return rows


def _row(figure: str, size: int, value: float, unit: str, goal: float | None = None) -> Row:
    name = f"scale.schedules.{figure}.{size}"
    return Row(name, value, unit) if goal is None else Row(name, value, unit, goal=f"< {goal:g}", ok=value < goal)


def _client(server: RedisServer) -> Any:
    """Return a client that waits longer than usual, because the machine may be busy."""
    return server.client(socket_timeout=PATIENT_SECONDS)


@contextmanager
def _scheduler(server: RedisServer, folder: Path, size: int, spec: str) -> Iterator[tuple[int, float]]:
    """Run a scheduler, and yield its pid with the seconds from its start until all schedules were registered."""
    client = _client(server)
    client.flushall()
    schedules = folder / "schedules"
    schedules.mkdir(exist_ok=True)
    for first in range(0, size, _PER_FILE):
        numbers = range(first, min(first + _PER_FILE, size))
        (schedules / f"{first}.yaml").write_text("---\n".join(HEAD.format(number) + spec for number in numbers))
    command = [sys.executable, "-m", "financehub_scheduler", "--broker", server.url, "--schedules", str(schedules)]
    env = {**os.environ, "FINANCEHUB_HTTP_PORT": "0", "REDIS_URL": server.url}
    with (folder / "out.log").open("wb") as log:
        started_at = time.monotonic()
        process = subprocess.Popen(command, cwd=folder, env=env, stdout=log, stderr=log)
        try:
            while client.zcard(keys.SCHEDULES) < size:
                if process.poll() is not None:
                    raise RuntimeError((folder / "out.log").read_text()[-2_000:])
                time.sleep(0.01)
            yield process.pid, time.monotonic() - started_at
        finally:
            process.terminate()
            process.wait()


@contextmanager
def _cost(client: Any, pid: int, runs: int) -> Iterator[list[_Cost]]:
    """Measure the CPU time per run of the scheduler and of Redis, and append it to the yielded list."""
    costs: list[_Cost] = []
    scheduler, redis = cpu_seconds(pid), _redis_cpu(client)
    yield costs
    costs.append(_Cost((cpu_seconds(pid) - scheduler) / runs, (_redis_cpu(client) - redis) / runs))


def _redis_cpu(client: Any) -> float:
    info = client.info("cpu")
    return float(info["used_cpu_user"] + info["used_cpu_sys"])


def _bursts(server: RedisServer, folder: Path, size: int) -> tuple[float, float, float, float, _Cost]:
    """Return the start (s), its CPU (s), the peak MB, the p99 of the best burst after the first (ms), and its cost."""
    client = _client(server)
    late = []
    costs: list[_Cost] = []
    interval = _LONG_INTERVAL if size > _MANY else _INTERVAL
    spec = f'  schedule: "@every {interval}s"\n  concurrencyPolicy: Allow\n'
    with _scheduler(server, folder, size, spec) as (pid, start):
        start_cpu = cpu_seconds(pid)
        for _ in range(_BURSTS):
            due = (time.time() // interval + 1) * interval
            time.sleep(max(0.0, due - time.time() - 2))
            client.delete(_QUEUE, f"{_QUEUE}.msgs")
            with _cost(client, pid, size) as cost:
                late.append(burst_lateness(client, _QUEUE, due, size) * 1000)
                # The records of the runs and their next times are written after the burst.
                time.sleep(max(0.0, due + interval * 0.8 - time.time()))
            costs += cost
        return start, start_cpu, peak_mb(pid), min(late[1:]), min(costs[1:], key=lambda each: each.redis)


def _spread(server: RedisServer, folder: Path, size: int) -> tuple[float, _Cost]:
    """Return the p99 lateness in ms of runs that are spread over a minute by their jitter offsets, and their cost."""
    spec = f'  schedule: "@every {_SPREAD}s"\n  jitterSeconds: {_SPREAD}\n  concurrencyPolicy: Allow\n'
    with _scheduler(server, folder, size, spec) as (pid, _):
        # Each schedule is due once per full minute. Runs that were due during the start are not measured.
        begin = (time.time() // _SPREAD + 1) * _SPREAD
        time.sleep(max(0.0, begin - time.time() - 1))
        _client(server).delete(_QUEUE, f"{_QUEUE}.msgs")
        with _cost(_client(server), pid, size) as costs:
            late = lateness(_client(server), _QUEUE, begin, begin + _SPREAD, _SPREAD)
        if size == _DRAWN and flames.VARIABLE in os.environ:
            with flames.drawn("scheduled-run", f"{size:,} runs in time", pid):
                time.sleep(_SPREAD)
    # Runs that did not arrive within the minute are at least late by an unknown time, which the longest one stands for.
    late += [float(_SPREAD)] * (size - len(late))
    return quantile(late, 99) * 1000, costs[0]
