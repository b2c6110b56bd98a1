"""Measures each process's memory and its time from start to the first finished message, and a second `make run`.

Memory is the PSS of the process and all its children, in which shared pages are divided among the processes that use
them. It is read while the process is idle after its first message. Dramatiq's command line runs a parent and a worker.
"""

import json
import math
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from array import array
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import dramatiq

from bench.rows import Row
from financehub_shared.core.kinds import AssetType
from financehub_shared.core.models import Asset, Bars
from financehub_shared.core.settings import load_settings
from financehub_shared.market.redis_store import RedisStore
from financehub_shared.monitor import ACTIVE, TaskMonitor
from financehub_shared.worker.actors import enqueue
from financehub_shared.worker.build import build_broker
from support.redis_server import RedisServer, free_port

ROOT = Path(__file__).parents[3]
BIN = Path(sys.executable).parent
LIMIT_SECONDS = 60
ROUNDS = 3
#: Seconds after the first message, when caches are filled, threads have started and no task runs.
SETTLE_SECONDS = 1.0
#: Tier → threads as in deploy/local/Procfile, task of the first message, and memory limit in MB.
TIERS = {
    "high": ("4", "fetch_crypto_prices_task", 130),
    "medium": ("2", "calculate_indicators_task", 220),
    "low": ("2", "health_check_task", 110),
}
SCHEDULER_MB = 120
#: Number of assets, and of bars per asset, for which the medium tier computes indicators in its first message.
ASSETS, BARS = 50, 500
WARM_SECONDS = 15
#: URL of all upstreams. Nothing listens there, so no request leaves the machine.
UNREACHABLE_URL = "http://127.0.0.1:9"


def run() -> list[Row]:
    """Measure each process separately, the best of three starts, and then the second start of `make run`."""
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as directory:
        server = RedisServer(Path(directory), aof=False).start()
        try:
            for tier, (threads, task, megabytes) in TIERS.items():
                measured = [_tier(server, tier, threads, task) for _ in range(ROUNDS)]
                rows += _rows(tier, measured, megabytes)
            measured = [_scheduler(server) for _ in range(ROUNDS)]
            rows += _rows("scheduler", measured, SCHEDULER_MB)
        finally:
            server.stop()
    rows.append(_make_run())
    return rows


def _rows(name: str, measured: list[tuple[float, float]], megabytes: int) -> list[Row]:
    seconds = min(seconds for seconds, _ in measured)
    memory = max(memory for _, memory in measured)
    goal = f"< {megabytes} MB, parent and child"
    return [
        Row(f"startup.{name}.first-message", seconds, "s"),
        Row(f"startup.{name}.pss", memory, "MB", goal=goal, ok=memory < megabytes),
    ]


def _environment(server: RedisServer, port: int) -> dict[str, str]:
    upstreams = ("BINANCE", "COINGECKO", "KRAKEN", "FINNHUB", "YAHOO", "GDELT")
    return os.environ | {
        "REDIS_URL": server.url,
        "FINANCEHUB_HTTP_PORT": str(port),
        "FINANCEHUB_HTTP_HOST": "127.0.0.1",
        "FINANCEHUB_RSS_FEEDS": UNREACHABLE_URL,
        **{f"FINANCEHUB_{name}_URL": UNREACHABLE_URL for name in upstreams},
    }


def _tier(server: RedisServer, tier: str, threads: str, task: str) -> tuple[float, float]:
    """Return the seconds until a message that was enqueued before the start has finished, and the MB."""
    client = server.client()
    client.flushall()
    if tier == "medium":
        _seed_bars(RedisStore(client))
    broker = build_broker(load_settings({"REDIS_URL": server.url}))
    message: dramatiq.Message[object] = enqueue(broker, task, options={"max_retries": 0})
    monitor = TaskMonitor(client)

    def has_finished() -> bool:
        run = monitor.get_run(message.message_id)
        if run is None or run.state in ACTIVE:
            return False
        if tier == "medium" and not RedisStore(client).indicators():
            raise RuntimeError(f"the medium tier computed nothing: {run.error}")
        return True

    command = [str(BIN / "dramatiq"), f"financehub_{tier}_priority.worker", "-p", "1", "-t", threads, "--skip-logging"]
    return _measure(command, _environment(server, free_port()), has_finished)


def _seed_bars(store: RedisStore) -> None:
    """Store assets with bars up to yesterday, so that indicators are computed without a fetch."""
    yesterday = int(time.time() // 86_400) - 1
    assets = [Asset(f"COIN{number}-USD", AssetType.CRYPTO) for number in range(ASSETS)]
    closes = array("d", (100 + 10 * math.sin(day / 7) + day / 50 for day in range(BARS)))
    volumes = array("d", [1_000.0]) * BARS
    days = array("i", range(yesterday - BARS + 1, yesterday + 1))
    highs, lows = array("d", (close + 1 for close in closes)), array("d", (close - 1 for close in closes))
    store.put_assets(assets)
    store.put_bars(Bars(asset.symbol, "bench", days, closes, highs, lows, closes, volumes) for asset in assets)


def _scheduler(server: RedisServer) -> tuple[float, float]:
    """Return the seconds until the first due run of the seven default schedules is in its queue, and the MB."""
    client = server.client()
    client.flushall()
    schedules = str(ROOT / "deploy/local/schedules")
    command = [str(BIN / "financehub-scheduler"), "--schedules", schedules]
    return _measure(command, _environment(server, free_port()), lambda: bool(client.exists("dramatiq:low.msgs")))


def _measure(command: list[str], environment: dict[str, str], done: Callable[[], bool]) -> tuple[float, float]:
    started = time.perf_counter()
    with _process(command, environment) as process:
        _wait(done, process)
        seconds = time.perf_counter() - started
        time.sleep(SETTLE_SECONDS)
        return seconds, sum(map(_pss, _descendants(process.pid))) / 1_000


def _make_run() -> Row:
    """Return the seconds of the second start until the health report is ok, which requires all data to be fresh."""
    environment = os.environ | {
        "REDIS_PORT": str(free_port()),
        "SIMULATOR_PORT": str(free_port()),
        "HTTP_PORT": str(_free_ports(4)),
        "UPSTREAM": "simulator",
    }

    def is_healthy() -> bool:
        url = f"http://127.0.0.1:{environment['HTTP_PORT']}/api/health/"
        try:
            with urllib.request.urlopen(url, timeout=2) as answer:
                return bool(json.load(answer)["status"] == "ok")
        except (urllib.error.URLError, OSError):
            return False

    command = ["make", "run"]
    seconds = 0.0
    for _ in range(2):
        started = time.perf_counter()
        with _process(command, environment, stop=signal.SIGINT) as process:
            _wait(is_healthy, process)
            seconds = time.perf_counter() - started
    return Row("startup.make-run.warm", seconds, "s", goal=f"< {WARM_SECONDS} s", ok=seconds < WARM_SECONDS)


def _free_ports(count: int) -> int:
    """Return the first of `count` consecutive free ports."""
    while True:
        first = free_port()
        try:
            for port in range(first, first + count):
                _bind(port)
        except OSError:
            continue
        return first


def _bind(port: int) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", port))


@contextmanager
def _process(
    command: list[str], environment: dict[str, str], stop: signal.Signals = signal.SIGTERM
) -> Iterator["subprocess.Popen[bytes]"]:
    """Run a command in its own session. If the block fails, print the end of the command's output."""
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=output, stderr=output, start_new_session=True
        )
        try:
            yield process
        except Exception:
            output.seek(0)
            sys.stderr.write(output.read().decode(errors="replace")[-4_000:])
            raise
        finally:
            if process.poll() is None:
                if stop is signal.SIGINT:
                    os.killpg(process.pid, stop)
                else:
                    process.send_signal(stop)
                _end(process)


def _end(process: "subprocess.Popen[bytes]") -> None:
    """Wait for a process that was signaled to stop. If it does not, kill it with its children and fail."""
    try:
        process.wait(LIMIT_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        raise


def _wait(done: Callable[[], bool], process: "subprocess.Popen[bytes]") -> None:
    limit = time.monotonic() + LIMIT_SECONDS
    while not done():
        if process.poll() is not None:
            raise RuntimeError(f"{process.args!r} ended with code {process.returncode}")
        if time.monotonic() > limit:
            raise RuntimeError(f"{process.args!r} did not become ready within {LIMIT_SECONDS} s")
        time.sleep(0.01)


def _descendants(pid: int) -> list[int]:
    """Return the ids of a process and all its descendants."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(descendant for child in children for descendant in _descendants(int(child)))]


def _pss(pid: int) -> int:
    """Return the PSS of a process in kB."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return next(int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss:"))
