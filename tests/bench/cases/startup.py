"""Start to the first message served, and memory, of each process; and `make run` on a warm machine.

Memory is PSS (shared pages divided among their users) of the process and all its children, read when it idles after its
first message: dramatiq's command line is a parent and a forked worker.
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
from financehub_shared.core.models import Asset, AssetType, Bars
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
#: Seconds after the first message: caches are filled, threads are up, nothing is under way.
SETTLE_SECONDS = 1.0
#: tier → (threads as in deploy/local/Procfile, first message, MB)
TIERS = {
    "high": ("4", "fetch_crypto_prices_task", 130),
    "medium": ("2", "calculate_indicators_task", 220),
    "low": ("2", "health_check_task", 110),
}
SCHEDULER_MB = 120
#: What the medium tier computes as its first message.
ASSETS, BARS = 50, 500
WARM_SECONDS = 15
#: Where everything below looks for its upstreams: nobody listens there, so that no fetch leaves the machine.
NOWHERE = "http://127.0.0.1:9"


def run() -> list[Row]:
    """Every process alone on its own Redis, the best of three starts; then `make run`, the second start."""
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
    seconds = min(one for one, _ in measured)
    memory = max(one for _, one in measured)
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
        "FINANCEHUB_RSS_FEEDS": NOWHERE,
        **{f"FINANCEHUB_{name}_URL": NOWHERE for name in upstreams},
    }


def _tier(server: RedisServer, tier: str, threads: str, task: str) -> tuple[float, float]:
    """Seconds until the message, enqueued before the start, has been run; MB."""
    client = server.client()
    client.flushall()
    if tier == "medium":
        _seed_bars(RedisStore(client))
    broker = build_broker(load_settings({"REDIS_URL": server.url}))
    message: dramatiq.Message[object] = enqueue(broker, task, options={"max_retries": 0})
    monitor = TaskMonitor(client)

    def served() -> bool:
        run = monitor.get_run(message.message_id)
        if run is None or run.state in ACTIVE:
            return False
        if tier == "medium" and not RedisStore(client).indicators():
            raise RuntimeError(f"the medium tier computed nothing: {run.error}")
        return True

    command = [str(BIN / "dramatiq"), f"financehub_{tier}_priority.worker", "-p", "1", "-t", threads, "--skip-logging"]
    return _measure(command, _environment(server, free_port()), served)


def _seed_bars(store: RedisStore) -> None:
    """Assets with bars up to yesterday, so that indicators are computed and nothing is fetched."""
    yesterday = int(time.time() // 86_400) - 1
    assets = [Asset(f"COIN{number}-USD", AssetType.CRYPTO) for number in range(ASSETS)]
    closes = array("d", (100 + 10 * math.sin(day / 7) + day / 50 for day in range(BARS)))
    volumes = array("d", [1_000.0]) * BARS
    days = array("i", range(yesterday - BARS + 1, yesterday + 1))
    highs, lows = array("d", (one + 1 for one in closes)), array("d", (one - 1 for one in closes))
    store.put_assets(assets)
    store.put_bars(Bars(one.symbol, "bench", days, closes, highs, lows, closes, volumes) for one in assets)


def _scheduler(server: RedisServer) -> tuple[float, float]:
    """Seconds until the first due run of the seven default schedules is in its queue; MB."""
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
        return seconds, sum(map(_pss, _family(process.pid))) / 1_000


def _make_run() -> Row:
    """Seconds until the health endpoint says ok on the second start: quotes, news and indicators are all there."""
    environment = os.environ | {
        "REDIS_PORT": str(free_port()),
        "SIMULATOR_PORT": str(free_port()),
        "HTTP_PORT": str(_free_ports(4)),
        "UPSTREAM": "simulator",
    }

    def well() -> bool:
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
            _wait(well, process)
            seconds = time.perf_counter() - started
    return Row("startup.make-run.warm", seconds, "s", goal=f"< {WARM_SECONDS} s", ok=seconds < WARM_SECONDS)


def _free_ports(count: int) -> int:
    """The first of `count` neighbouring ports nobody listens on."""
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
    """Run a command in a session of its own; its output is shown if it ends before it is told to."""
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
    """Wait for a process that was told to stop; one that does not is killed with its children, and is an error."""
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
            raise RuntimeError(f"{process.args!r} served nothing within {LIMIT_SECONDS} s")
        time.sleep(0.01)


def _family(pid: int) -> list[int]:
    """A process and all its descendants."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(one for child in children for one in _family(int(child)))]


def _pss(pid: int) -> int:
    """kB, each page divided by how many processes share it."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return next(int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss:"))
