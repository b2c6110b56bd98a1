"""Measures series and scrape time by number of schedules, and the effect of scrapes on the lateness of due runs."""

import os
import sys
import tempfile
import threading
import time
import urllib.request
from array import array
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from decimal import Decimal
from pathlib import Path
from statistics import median

import redis

from bench.arrivals import lateness, quantile
from bench.rows import Row
from financehub_shared.core.catalog import CATALOG
from financehub_shared.core.kinds import AssetType
from financehub_shared.core.models import Asset, Indicators, Quote
from financehub_shared.core.settings import load_settings
from financehub_shared.market.redis_store import RedisStore
from financehub_shared.monitor import ACTIVE, TaskMonitor
from financehub_shared.redis import keys
from financehub_shared.worker.actors import enqueue
from financehub_shared.worker.build import build_broker
from financehub_simulator.client_settings import settings_for
from support.processes import launch
from support.redis_server import RedisServer, free_port
from support.simulator import RunningSimulator

BIN = Path(sys.executable).parent
#: Number of schedules → period of each in seconds. Their offsets differ, so the load is steady, at most 333 runs/s.
PERIODS = {7: 2, 1_000: 5, 10_000: 30}
TIERS = ("high", "medium", "low")
ASSETS = 1_000
SCRAPES = 20
#: Symbols for the tasks that accept symbols, chosen so that a simulated provider serves them.
SYMBOLS = {
    "fetch_crypto_prices_task": ["BTC-USD"],
    "fetch_stock_prices_task": ["AAPL"],
    "calculate_indicators_task": ["BTC-USD"],
}
#: Intervals with and without scraping alternate, so that the machine's load affects both equally.
INTERVALS, INTERVAL_SECONDS, SETTLE_SECONDS = 6, 10.0, 0.5
LIMIT_SECONDS = 120.0
#: The header that Prometheus sends.
ACCEPT = "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.1"
SCHEDULE = """\
apiVersion: financehub.io/v1alpha1
kind: ScheduledTask
metadata:
  name: s{number}
spec:
  task: noop
  queue: bench
  schedule: "@every {period}s"
  jitterSeconds: {period}
  concurrencyPolicy: Allow
"""


def run() -> list[Row]:
    """Measure each size with its own fleet, and the largest also with a scrape every second."""
    rows: list[Row] = []
    with RunningSimulator(enforce_rate_limits=False) as simulator:
        for size in PERIODS:
            with tempfile.TemporaryDirectory() as directory:
                rows += _measure(size, Path(directory), simulator)
    return rows


def _measure(size: int, folder: Path, simulator: RunningSimulator) -> list[Row]:
    server = RedisServer(folder, aof=False).start()
    environment = {**os.environ, **settings_for(simulator.base_url), "REDIS_URL": server.url}
    rows = []
    try:
        with server.client() as client, ExitStack() as stack:
            _store_assets(RedisStore(client))
            rows += _tiers(size, environment, folder, client)
            port = stack.enter_context(_scheduler(size, environment, folder, client))
            if size == max(PERIODS):
                rows.append(_lag_row(client, port, size))
            durations = sorted(_scrape(port)[0] for _ in range(SCRAPES))
            p99 = quantile(durations, 99)
            name = f"metrics.{size}.scheduler"
            rows += [
                Row(f"{name}.series", _series(port), "series"),
                Row(f"{name}.scrape.median", median(durations) * 1_000, "ms"),
                Row(f"{name}.scrape.p99", p99 * 1_000, "ms", goal="< 1,000", ok=p99 < 1),
            ]
    finally:
        server.stop()
    return rows


def _store_assets(store: RedisStore) -> None:
    """Store assets with a quote and indicators each, as a fleet does."""
    now = time.time()
    symbols = ["BTC-USD", *(f"COIN{number}-USD" for number in range(ASSETS - 2))]
    series = {name: array("d", [1.0] * 100) for name in ("rsi_14", "sma_20", "sma_50", "macd", "obv")}
    today = int(now // 86_400)
    days = array("i", range(today - 99, today + 1))
    store.put_assets([Asset("AAPL", AssetType.STOCK), *(Asset(symbol, AssetType.CRYPTO) for symbol in symbols)])
    store.put_quotes(Quote(symbol, Decimal(1), "USD", None, now, "bench") for symbol in symbols)
    store.put_indicators(Indicators(symbol, "talib", now, days[0], days[-1], 100, days, series) for symbol in symbols)
    for dataset in ("quotes:crypto", "indicators", "bars", "news"):
        store.mark_success(dataset, "bench", now)


@contextmanager
def _process(command: Sequence[str], environment: dict[str, str], log: Path) -> Iterator[int]:
    """Run a process that serves metrics and yield its port."""
    port = free_port()
    with log.open("wb") as output:
        process = launch(
            command,
            env={**environment, "FINANCEHUB_HTTP_PORT": str(port), "FINANCEHUB_HTTP_HOST": "127.0.0.1"},
            stdout=output,
            stderr=output,
        )
        try:
            yield port
        finally:
            process.terminate()
            process.wait()


def _tiers(size: int, environment: dict[str, str], folder: Path, client: "redis.Redis") -> list[Row]:
    """Return each tier's number of series after the tier has run all of its tasks."""
    broker, monitor = build_broker(load_settings({"REDIS_URL": environment["REDIS_URL"]})), TaskMonitor(client)
    sent = {
        task: enqueue(broker, task, {"symbols": SYMBOLS[task]} if task in SYMBOLS else {}, options={"max_retries": 0})
        for task in CATALOG
    }

    def unfinished() -> list[str]:
        runs = {task: monitor.get_run(message.message_id) for task, message in sent.items()}
        return [task for task, run in runs.items() if run is None or run.state in ACTIVE]

    with ExitStack() as stack:
        ports = {}
        for tier in TIERS:
            command = [str(BIN / "dramatiq"), f"financehub_{tier}_priority.worker", *("-p", "1", "-t", "2")]
            ports[tier] = stack.enter_context(_process(command, environment, folder / f"{tier}.log"))
        _wait("every task has run", unfinished)
        return [Row(f"metrics.{size}.{tier}.series", _series(port), "series") for tier, port in ports.items()]


@contextmanager
def _scheduler(size: int, environment: dict[str, str], folder: Path, client: "redis.Redis") -> Iterator[int]:
    """Run a scheduler, and yield its port once all schedules have run, so that all series exist."""
    schedules = folder / "schedules"
    schedules.mkdir()
    texts = (SCHEDULE.format(number=number, period=PERIODS[size]) for number in range(size))
    (schedules / "all.yaml").write_text("---\n".join(texts))
    command = [str(BIN / "financehub-scheduler"), "--schedules", str(schedules)]
    with _process(command, environment, folder / "scheduler.log") as port:
        _wait("schedules are registered", lambda: size - client.zcard(keys.SCHEDULES))
        client.delete("dramatiq:bench", "dramatiq:bench.msgs")
        _wait("every schedule has run", lambda: client.hlen("dramatiq:bench.msgs") < size)
        yield port


def _lag_row(client: "redis.Redis", port: int, size: int) -> Row:
    """Return the p99 lateness of due runs with a scrape of /metrics every second, and without scrapes, in ms."""
    late: dict[bool, list[float]] = {True: [], False: []}
    period = PERIODS[size]
    for number in range(INTERVALS):
        scraped = number % 2 == 1
        with _scraping(port) if scraped else ExitStack():
            # Runs that arrived in the meantime waited for this process, not for the scheduler.
            client.delete("dramatiq:bench", "dramatiq:bench.msgs")
            begin = time.time() + SETTLE_SECONDS
            late[scraped] += lateness(client, "dramatiq:bench", begin, begin + INTERVAL_SECONDS, period)
    least = size * INTERVALS * INTERVAL_SECONDS / period / 2 * 0.9
    if min(map(len, late.values())) < least:
        raise RuntimeError(f"{len(late[True])} and {len(late[False])} runs arrived; at least {least:.0f} were due")
    with_scrapes, without = (quantile(sorted(late[scraped]), 99) * 1_000 for scraped in (True, False))
    ok = with_scrapes <= max(1.5 * without, 10)
    goal = "<= 1.5 x without scrapes, or 10 ms"
    return Row("metrics.due_runs.lag_p99", with_scrapes, "ms", "without scrapes", without, goal, ok)


@contextmanager
def _scraping(port: int) -> Iterator[None]:
    """Scrape every second during the block."""
    stopped = threading.Event()

    def scrape() -> None:
        while not stopped.is_set():
            seconds, _ = _scrape(port)
            stopped.wait(max(0.0, 1 - seconds))

    thread = threading.Thread(target=scrape)
    thread.start()
    try:
        yield
    finally:
        stopped.set()
        thread.join()


def _scrape(port: int) -> tuple[float, bytes]:
    """Scrape once, and return the duration in seconds and the response."""
    request = urllib.request.Request(f"http://127.0.0.1:{port}/metrics", headers={"Accept": ACCEPT})
    started_at = time.perf_counter()
    with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 — our own HTTP URL
        body: bytes = answer.read()
    return time.perf_counter() - started_at, body


def _series(port: int) -> int:
    return sum(bool(line) and not line.startswith(b"#") for line in _scrape(port)[1].splitlines())


def _wait(condition: str, missing: Callable[[], object]) -> None:
    limit = time.monotonic() + LIMIT_SECONDS
    while found := missing():
        if time.monotonic() > limit:
            raise TimeoutError(f"not within {LIMIT_SECONDS:.0f} s: {condition}; missing: {found}")
        time.sleep(0.05)
