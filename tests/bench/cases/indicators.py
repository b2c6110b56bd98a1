"""Compares the computation of indicators with `ta`, and measures the whole task's time and memory on a real Redis."""

import json
import subprocess
import sys
import tempfile
import time
from array import array
from pathlib import Path

import numpy as np
import redis

from bench.rows import Row
from financehub_medium_priority.indicators.compute import compute
from financehub_medium_priority.indicators.engines import EngineName, load_engine
from financehub_shared.core.kinds import AssetType
from financehub_shared.core.models import Asset, Bars
from financehub_shared.market.redis_store import RedisStore
from support.redis_server import RedisServer

BARS = 500
SERIES = 100
ASSETS = 1_000
#: `ta` takes 40 ms per asset, so a sample is enough to measure its rate.
TA_SAMPLE = 30
SIZES = (100, ASSETS, 10_000)
LOAD_BATCH = 500

#: Runs the task (read, compute, write) like a worker, in its own process, and prints the seconds and the peak memory.
TASK = """
import asyncio, json, resource, sys, time
import redis
from financehub_medium_priority.indicators import task
from financehub_shared.core.clock import SystemClock
from financehub_shared.providers.bar_fetcher import BarFetcher
from financehub_shared.market.redis_store import RedisStore

clock = SystemClock()
store = RedisStore(redis.Redis.from_url(sys.argv[1]))

def run():
    started = time.perf_counter()
    summary = asyncio.run(task.calculate_indicators(
        None, store=store, bars=BarFetcher([], clock), engine="talib", series=100, clock=clock))
    return time.perf_counter() - started, summary.stored

first, stored = run()
second, _ = run()
rss = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps({"first": first, "second": second, "stored": stored, "rss": rss}))
"""


def run() -> list[Row]:
    """Compute in this process, and run the task in its own process with 100, 1,000 and 10,000 assets."""
    return [*_compute_rows(), *_task_rows()]


def _bars(symbol: str, random: np.random.Generator, last_day: int) -> Bars:
    close = 100 * np.exp(np.cumsum(random.normal(0, 0.02, BARS)))
    open = close * (1 + random.normal(0, 0.003, BARS))
    high = np.maximum(open, close) * (1 + random.random(BARS) * 0.01)
    low = np.minimum(open, close) * (1 - random.random(BARS) * 0.01)
    columns = (open, high, low, close, random.integers(1_000, 1_000_000, BARS).astype(float))
    days = array("i", range(last_day - BARS + 1, last_day + 1))
    return Bars(symbol, "bench", days, *(array("d", column) for column in columns))


def _rate(engine: EngineName, histories: list[Bars]) -> float:
    """Return the assets computed per second, the best of three measurements."""
    calculate = load_engine(engine)
    compute(histories[0], calculate, engine, SERIES, 0.0)
    best = 0.0
    for _ in range(3):
        started = time.perf_counter()
        for bars in histories:
            compute(bars, calculate, engine, SERIES, 0.0)
        best = max(best, len(histories) / (time.perf_counter() - started))
    return best


def _compute_rows() -> list[Row]:
    random = np.random.default_rng(7)
    histories = [_bars(f"B{number}-USD", random, 20_000) for number in range(ASSETS)]
    own, peer = _rate("talib", histories), _rate("ta", histories[:TA_SAMPLE])
    goal = ">= 200 x ta"
    return [Row("indicators.compute.rate", own, "assets/s", "ta", peer, goal, own >= 200 * peer)]


def _task_rows() -> list[Row]:
    rows = []
    ms_per_asset: dict[int, float] = {}
    for size in SIZES:
        with tempfile.TemporaryDirectory() as directory:
            server = RedisServer(Path(directory), aof=False).start()
            try:
                load(server.url, size)
                measured = measure(server.url)
            finally:
                server.stop()
        assert measured["stored"] == size, measured
        seconds, rss = measured["first"], measured["rss"]
        ms_per_asset[size] = measured["second"] / size * 1_000
        is_goal = size == ASSETS
        rows += [
            Row(
                f"indicators.task.{size}.seconds",
                seconds,
                "s",
                goal="< 3 s" if is_goal else "",
                ok=seconds < 3 if is_goal else None,
            ),
            Row(f"indicators.task.{size}.per-asset", ms_per_asset[size], "ms/asset"),
            Row(
                f"indicators.task.{size}.peak-rss",
                rss,
                "MB",
                goal="< 400 MB" if size >= ASSETS else "",
                ok=rss < 400 if size >= ASSETS else None,
            ),
        ]
    ratio = ms_per_asset[SIZES[-1]] / ms_per_asset[ASSETS]
    rows.append(Row("indicators.task.linear", ratio, "x per asset, 10,000 against 1,000", goal="< 1.3", ok=ratio < 1.3))
    return rows


def load(url: str, size: int) -> None:
    """Store assets with all their bars."""
    store = RedisStore(redis.Redis.from_url(url))
    random = np.random.default_rng(7)
    # The newest bar is that of the last complete day, so the task has nothing to fetch.
    last_day = int(time.time() // 86_400) - 1
    symbols = [f"B{number}-USD" for number in range(size)]
    store.put_assets(Asset(symbol, AssetType.CRYPTO) for symbol in symbols)
    for start in range(0, size, LOAD_BATCH):
        store.put_bars(_bars(symbol, random, last_day) for symbol in symbols[start : start + LOAD_BATCH])


def measure(url: str) -> dict[str, float]:
    """Run the task twice in another process, and return its seconds, its results and its memory."""
    done = subprocess.run([sys.executable, "-c", TASK, url], capture_output=True, text=True, check=True, timeout=300)
    measured: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return measured
