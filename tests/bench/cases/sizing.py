"""Measures a whole fleet by the number of its assets: memory, CPU and time of each task, with the simulator at 50 ms.

A fifth of the assets are coins, and the others are stocks. Memory is the sum of the proportional set sizes of a process
and its children, at its highest while the tasks run. The chart's README has the results.
"""

import os
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.rows import Row
from financehub_simulator.universe import bench_coins, bench_stocks
from support.fleet import Fleet
from support.redis_server import RedisServer
from support.simulator import RunningSimulator

SIZES = (28, 100, 1_000, 5_000)
LATENCY = 0.05
TIERS = ("high", "medium", "low")
#: Name in the results → task. The first run of the indicators also fetches all bars that the budget of Yahoo allows.
TASKS = {
    "crypto": "fetch_crypto_prices_task",
    "stocks": "fetch_stock_prices_task",
    "news": "fetch_news_task",
    "indicators": "calculate_indicators_task",
}
_MB = 1_000_000
_TICKS = os.sysconf("SC_CLK_TCK")


def run() -> list[Row]:
    """Measure each size with its own Redis and fleet."""
    return [row for size in SIZES for row in _measure(size)]


def _measure(size: int) -> list[Row]:
    with tempfile.TemporaryDirectory() as name, RunningSimulator(latency=LATENCY, process=True) as simulator:
        directory = Path(name)
        server = RedisServer(directory, aof=True).start()
        fleet = Fleet(directory, server, simulator)
        fleet.assets.write_text(_assets(size))
        try:
            fleet.start_scheduler()
            for tier in TIERS:
                fleet.start_tier(tier, threads=4)
            while server.client().hlen("financehub:assets") < size:
                time.sleep(0.5)
            return _rows(size, fleet, server)
        finally:
            fleet.stop()
            server.stop()


def _assets(size: int) -> str:
    coins = size // 5
    lines = [f"  - {{symbol: {each}, type: crypto}}" for each in bench_coins(coins)]
    lines += [f"  - {{symbol: {each}, type: stock}}" for each in bench_stocks(size - coins)]
    return "\n".join(["assets:", *lines, ""])


def _rows(size: int, fleet: Fleet, server: RedisServer) -> list[Row]:
    names = ("scheduler", *TIERS)
    rows: list[Row] = []
    with _peaks(fleet, names) as peaks:
        for name, task in TASKS.items():
            for repetition in ("first", "next"):
                before = sum(_cpu(fleet.pid(each)) for each in TIERS)
                seconds = _run(fleet, task)
                cpu = sum(_cpu(fleet.pid(each)) for each in TIERS) - before
                rows.append(_row(size, f"{name}.{repetition}.seconds", seconds, "s"))
                rows.append(_row(size, f"{name}.{repetition}.cpu", cpu, "s"))
        time.sleep(2)
    rows += [_row(size, f"{name}.memory", peaks[name] / _MB, "MB") for name in names]
    info = server.client().info("memory")
    rows.append(_row(size, "redis.data", info["used_memory_peak"] / _MB, "MB"))
    rows.append(_row(size, "redis.memory", info["used_memory_rss"] / _MB, "MB"))
    return rows


def _run(fleet: Fleet, task: str) -> float:
    """Run a task, and return the seconds that it took."""
    run = fleet.cli("run", task, "--no-wait")["message_id"]
    while True:
        time.sleep(1)
        record = fleet.cli("runs", "show", run, code=None)
        if record and record["finished_at"]:
            return float(record["duration"])


@contextmanager
def _peaks(fleet: Fleet, names: tuple[str, ...]) -> Iterator[dict[str, int]]:
    """Measure the memory of processes five times per second, and keep the highest value of each."""
    peaks = dict.fromkeys(names, 0)
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(0.2):
            for name in names:
                peaks[name] = max(peaks[name], _memory(fleet.pid(name)))

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield peaks
    finally:
        ended.set()
        thread.join()


def _session(leader: int) -> Iterator[Path]:
    """Yield the folders in /proc of a process and its children, which share its session."""
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            try:
                if _stat(folder)[3] == str(leader):
                    yield folder
            except OSError:
                continue  # the process has ended


def _stat(folder: Path) -> list[str]:
    """Return the fields of a process, beginning with its state. The name before them may contain spaces."""
    return (folder / "stat").read_text().rpartition(")")[2].split()


def _memory(leader: int) -> int:
    """Return the bytes that a process and its children use. Shared pages are divided among those that share them."""
    total = 0
    for folder in _session(leader):
        try:
            lines = (folder / "smaps_rollup").read_text().splitlines()
        except OSError:
            continue
        total += sum(int(line.split()[1]) * 1_024 for line in lines if line.startswith("Pss:"))
    return total


def _cpu(leader: int) -> float:
    """Return the seconds of CPU that a process and its children, including those that ended, have used."""
    total = 0
    for folder in _session(leader):
        try:
            total += sum(map(int, _stat(folder)[11:15]))
        except OSError:
            continue
    return total / _TICKS


def _row(size: int, name: str, value: float, unit: str) -> Row:
    return Row(f"sizing.{size}.{name}", value, unit)
