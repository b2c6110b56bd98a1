"""Measures the console and the API with 1,000 assets: latencies, start, memory, and the processor time of streams."""

import gzip
import http.client
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from random import Random

from bench.cases.store import BARS as _BARS_OF_STORE
from bench.rows import Row
from financehub_shared.core.kinds import AssetType
from financehub_shared.core.models import Asset
from financehub_shared.market.redis_store import RedisStore
from support.market_data import bars, indicators, quote
from support.redis_server import RedisServer, free_port

ASSETS = 1_000
#: Three years of bars.
DAYS = 1_095
#: Requests per second of the load on `/quotes`.
RATE = 50
SECONDS = 15
STREAMS = 100
#: Starts the process without the packages that the image does not have, and that libraries import if they are there.
_AS_IN_THE_IMAGE = """
import sys
sys.modules |= dict.fromkeys(("rich", "pygments", "cryptography", "attr", "greenlet"))
from financehub_web.__main__ import main
main()
"""
_TICKS = os.sysconf("SC_CLK_TCK")


class Process:
    """A web process on its own ports.

    Args:
        redis_url: URL of its Redis.
    """

    def __init__(self, redis_url: str) -> None:
        self.port = free_port()
        self._probe_port = free_port()
        environment = {
            **os.environ,
            "REDIS_URL": redis_url,
            "FINANCEHUB_WEB_HOST": "127.0.0.1",
            "FINANCEHUB_WEB_PORT": str(self.port),
            "FINANCEHUB_HTTP_HOST": "127.0.0.1",
            "FINANCEHUB_HTTP_PORT": str(self._probe_port),
            "FINANCEHUB_WEB_REQUESTS_PER_SECOND": "100000",
        }
        began = time.perf_counter()
        self._process = subprocess.Popen(
            [sys.executable, "-c", _AS_IN_THE_IMAGE], env=environment, stdout=subprocess.DEVNULL
        )
        while not self._is_ready():
            time.sleep(0.005)
        self.ready_seconds = time.perf_counter() - began

    def _is_ready(self) -> bool:
        try:
            return self.get("/api/v1/queues")[0] == 200
        except OSError:
            return False

    def get(self, path: str, **headers: str) -> tuple[int, bytes, dict[str, str]]:
        """Return status, body and headers of one request on its own connection."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request("GET", path, headers=headers)
            answer = connection.getresponse()
            return answer.status, answer.read(), dict(answer.getheaders())
        finally:
            connection.close()

    @property
    def rss_mb(self) -> float:
        """Resident memory in MB."""
        status = Path(f"/proc/{self._process.pid}/status").read_text(encoding="utf-8")
        return int(status.split("VmRSS:")[1].split()[0]) / 1_024

    @property
    def cpu_seconds(self) -> float:
        """Processor time that the process has used."""
        fields = Path(f"/proc/{self._process.pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS

    def stop(self) -> None:
        """End the process."""
        self._process.terminate()
        self._process.wait()


def run() -> list[Row]:
    """Fill a separate Redis, start a process, and measure."""
    with tempfile.TemporaryDirectory() as directory, ExitStack() as stack:
        server = RedisServer(Path(directory), aof=False).start()
        stack.callback(server.stop)
        store = RedisStore(server.client())
        symbols = _fill(store)
        process = Process(server.url)
        stack.callback(process.stop)
        return [*_rows(process, symbols), _streams(process, store, symbols)]


def _fill(store: RedisStore) -> list[str]:
    random, now = Random(7), time.time()
    today = int(now // 86_400)
    symbols = [f"S{number:04d}-USD" for number in range(ASSETS)]
    store.put_assets(Asset(symbol, AssetType.CRYPTO, name=f"Coin {symbol}") for symbol in symbols)
    store.put_quotes(_quote(symbol, random, now) for symbol in symbols)
    store.put_bars([bars(symbols[0], range(today - DAYS, today))])
    store.put_indicators([indicators(symbols[0], rsi_14=[50.0] * _BARS_OF_STORE)])
    return symbols


def _quote(symbol: str, random: Random, at: float):
    price = f"{random.uniform(0.1, 90_000):.6f}"
    return quote(symbol, price, fetched_at=at, change_percent=f"{random.uniform(-9, 9):.4f}", volume=price)


def _rows(process: Process, symbols: list[str]) -> Iterator[Row]:
    used = f"processor {process.cpu_seconds:.2f}"
    yield Row("web.ready", process.ready_seconds, "s", peer=used, goal="< 1 s", ok=process.ready_seconds < 1)
    yield Row("web.memory.idle", process.rss_mb, "MB", goal="< 80 MB", ok=process.rss_mb < 80)
    every = _paced(process, "/api/v1/quotes?limit=1000", RATE, SECONDS)
    yield _latency("web.quotes_1000", every, 30)
    _, body, headers = process.get("/api/v1/quotes", **{"Accept-Encoding": "gzip"})
    yield Row("web.quotes_1000.size", len(body) / 1_000, "kB")
    assert len(gzip.decompress(body)) > 100_000
    unchanged = _paced(process, "/api/v1/quotes", RATE, 5, **{"If-None-Match": headers["etag"]})
    yield _latency("web.quotes_304", unchanged, 3)
    yield _latency("web.bars_3_years", _paced(process, f"/api/v1/bars/{symbols[0]}", RATE, 5), 20)
    yield _latency("web.quote", _paced(process, f"/api/v1/quotes/{symbols[0]}", RATE, 5), None)
    yield Row("web.memory.after", process.rss_mb, "MB", goal="< 80 MB", ok=process.rss_mb < 80)


def _paced(process: Process, path: str, rate: int, seconds: float, **headers: str) -> tuple[list[float], float]:
    """Send requests at a rate on one connection; return their latencies in ms, and the processor time of each in ms."""
    connection = http.client.HTTPConnection("127.0.0.1", process.port, timeout=10)
    latencies = []
    used = process.cpu_seconds
    begin = time.perf_counter()
    for number in range(round(rate * seconds)):
        time.sleep(max(0.0, begin + number / rate - time.perf_counter()))
        began = time.perf_counter()
        connection.request("GET", path, headers={"Accept-Encoding": "gzip", **headers})
        answer = connection.getresponse()
        answer.read()
        latencies.append((time.perf_counter() - began) * 1_000)
        assert answer.status in {200, 304}
    connection.close()
    return latencies, (process.cpu_seconds - used) * 1_000 / len(latencies)


def _latency(name: str, measured: tuple[list[float], float], limit: float | None) -> Row:
    latencies, cpu = measured
    p99 = statistics.quantiles(latencies, n=100)[98]
    text = f"p50 {statistics.median(latencies):.1f}, processor {cpu:.1f}"
    if limit is None:
        return Row(f"{name}.p99", p99, "ms", peer=text)
    return Row(f"{name}.p99", p99, "ms", peer=text, goal=f"< {limit:g} ms", ok=p99 < limit)


def _streams(process: Process, store: RedisStore, symbols: list[str]) -> Row:
    """Measure the processor time for streams of all quotes, of which a twentieth changes every second."""
    random = Random(8)
    with ExitStack() as stack:
        readers = [stack.enter_context(_stream(process, number)) for number in range(STREAMS)]
        for reader in readers:
            reader.read1(1_000_000)
        time.sleep(3)
        began, used = time.perf_counter(), process.cpu_seconds
        for _ in range(10):
            now = time.time()
            store.put_quotes(_quote(symbol, random, now) for symbol in random.sample(symbols, ASSETS // 20))
            for reader in readers:
                reader.read1(1_000_000)
            time.sleep(1)
        share = (process.cpu_seconds - used) / (time.perf_counter() - began) * 100
    return Row("web.streams_100.cpu", share, "%", goal="< 30 % of a core", ok=share < 30)


@contextmanager
def _stream(process: Process, number: int) -> Iterator[http.client.HTTPResponse]:
    # each one from its own address, because a client may have only a few streams
    source = (f"127.0.0.{number + 1}", 0)
    connection = http.client.HTTPConnection("127.0.0.1", process.port, timeout=30, source_address=source)
    connection.request("GET", "/api/v1/stream/quotes")
    try:
        yield connection.getresponse()
    finally:
        connection.close()
