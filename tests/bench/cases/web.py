"""Measures the console and the API with 1,000 assets and 10,000 runs, next to the goals.

Latencies, the start and the first paint are those of the best of several rounds, because other load of the machine
only adds to them. Latencies do not contain the time for which the process or the client waited for a processor that the
system gave to other programs, because the goals are for a core that has nothing else to do. The column `peer` has them
with that time.
"""

import gzip
import http.client
import statistics
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from random import Random

from bench.cases import history
from bench.cases.store import BARS as _BARS_OF_STORE
from bench.first_paint import open_pages
from bench.rows import Row
from bench.web_process import WebProcess, own_waited_seconds
from financehub_shared.market.redis_store import RedisStore
from support.full_redis import fill
from support.large_fleet import ASSETS, SYMBOLS, put_many_assets, put_many_runs, random_quote
from support.market_data import bars, indicators
from support.redis_server import RedisServer

#: Three years of bars.
DAYS = 1_095
#: Requests per second of the load on the API, and on pages.
RATE, PAGE_RATE = 50, 10
SECONDS, ROUNDS, STARTS = 5, 3, 5
STREAMS = 100
#: Seconds for which the streams are measured.
STREAM_SECONDS = 10
GZIP = {"Accept-Encoding": "gzip"}


def run() -> list[Row]:
    """Fill a separate Redis, start a process, and measure."""
    with tempfile.TemporaryDirectory() as directory, ExitStack() as stack:
        server = RedisServer(Path(directory), aof=False).start()
        stack.callback(server.stop)
        client = server.client()
        fill(client, server.url)
        store = RedisStore(client)
        _fill(store)
        put_many_runs(client)
        rows = [_start(server.url)]
        process = WebProcess(server.url)
        stack.callback(process.stop)
        rows += [_memory("idle", process), *_api(process), *_pages(process), *_openings(process)]
        return [*rows, _memory("after", process), _streams(process, store), *_appending()]


def _fill(store: RedisStore) -> None:
    today = int(time.time() // 86_400)
    put_many_assets(store)
    store.put_bars([bars(SYMBOLS[0], range(today - DAYS, today))])
    store.put_indicators([indicators(SYMBOLS[0], rsi_14=[50.0] * _BARS_OF_STORE)])


def _start(redis_url: str) -> Row:
    """Start several processes one after the other. The first one may have to compile modules."""
    starts = []
    for _ in range(STARTS):
        process = WebProcess(redis_url)
        starts.append((process.start_seconds, process.ready_seconds, process.cpu_seconds))
        process.stop()
    seconds, busy, used = min(starts)
    return _below("web.ready", seconds, "s", 1, f"{busy:.2f}, processor {used:.2f}")


def _memory(when: str, process: WebProcess) -> Row:
    return _below(f"web.memory.{when}", process.rss_mb, "MB", 80)


def _api(process: WebProcess) -> Iterator[Row]:
    yield _latency(process, "quotes_1000", "/api/v1/quotes?limit=1000", 30)
    _, body, headers = process.get("/api/v1/quotes", **GZIP)
    yield Row("web.quotes_1000.size", len(body) / 1_000, "kB")
    assert len(gzip.decompress(body)) > 100_000
    yield _latency(process, "quotes_304", "/api/v1/quotes", 3, headers={"If-None-Match": headers["etag"]})
    yield _latency(process, "bars_3_years", f"/api/v1/bars/{SYMBOLS[0]}", 20)
    yield _latency(process, "quote", f"/api/v1/quotes/{SYMBOLS[0]}", None)


def _pages(process: WebProcess) -> Iterator[Row]:
    yield _latency(process, "page.overview", "/", 50, rate=PAGE_RATE)
    yield _latency(process, "page.quotes", "/quotes", 100, rate=PAGE_RATE)
    yield _latency(process, "page.runs", "/runs", None, rate=PAGE_RATE)
    yield _latency(process, "page.candles_3_years", f"/quotes/{SYMBOLS[0]}/chart.json", 20, rate=PAGE_RATE)


def _openings(process: WebProcess) -> Iterator[Row]:
    names = {"/": "overview", "/quotes": "quotes", f"/quotes/{SYMBOLS[0]}": "quote"}
    for path, opening in open_pages(process.url, list(names), ROUNDS).items():
        yield _below(f"web.page.{names[path]}.weight", opening.kilobytes, "kB", 300)
        yield _below(f"web.page.{names[path]}.first_paint", opening.paint_ms, "ms", 500)


def _below(name: str, value: float, unit: str, limit: float, peer: str = "") -> Row:
    return Row(name, value, unit, peer=peer, goal=f"< {limit:g} {unit}", ok=value < limit)


def _latency(
    process: WebProcess,
    name: str,
    path: str,
    limit: float | None,
    *,
    rate: int = RATE,
    headers: Mapping[str, str] | None = None,
) -> Row:
    """Measure the 99th percentile of the latency of requests that arrive at a rate."""
    rounds = [_paced(process, path, rate, SECONDS, {**GZIP, **(headers or {})}) for _ in range(ROUNDS)]
    p99, busy, median, used = min((_p99(own), _p99(all_), statistics.median(own), used) for own, all_, used in rounds)
    text = f"{busy:.1f}, p50 {median:.1f}, processor {used:.1f}"
    return (
        Row(f"web.{name}.p99", p99, "ms", peer=text)
        if limit is None
        else _below(f"web.{name}.p99", p99, "ms", limit, text)
    )


def _p99(latencies: list[float]) -> float:
    return statistics.quantiles(latencies, n=100)[98]


def _paced(
    process: WebProcess, path: str, rate: int, seconds: float, headers: Mapping[str, str]
) -> tuple[list[float], list[float], float]:
    """Send requests at a rate on one connection.

    Returns:
        Their latencies in ms without the time of waiting for a processor, those with it, and the processor time of
        each in ms.
    """
    connection = http.client.HTTPConnection("127.0.0.1", process.port, timeout=10)
    own: list[float] = []
    latencies: list[float] = []
    used = process.cpu_seconds
    begin = time.perf_counter()
    for number in range(round(rate * seconds)):
        time.sleep(max(0.0, begin + number / rate - time.perf_counter()))
        before, own_before = process.waited_seconds(), own_waited_seconds()
        began = time.perf_counter()
        connection.request("GET", path, headers=dict(headers))
        answer = connection.getresponse()
        answer.read()
        seconds = time.perf_counter() - began
        latencies.append(seconds * 1_000)
        # Threads may wait at the same time, so only the longest wait counts.
        waits = [each - before.get(thread, 0.0) for thread, each in process.waited_seconds().items()]
        waited = max(waits) + own_waited_seconds() - own_before
        own.append((seconds - min(seconds, waited)) * 1_000)
        assert answer.status in {200, 304}, (path, answer.status)
    connection.close()
    return own, latencies, (process.cpu_seconds - used) * 1_000 / len(latencies)


def _streams(process: WebProcess, store: RedisStore) -> Row:
    """Measure the processor time for streams of all quotes, of which a twentieth changes every second."""
    random = Random(8)
    with ExitStack() as stack:
        readers = [stack.enter_context(_stream(process, number)) for number in range(STREAMS)]
        for reader in readers:
            reader.read1(1_000_000)
        time.sleep(3)
        began, used = time.perf_counter(), process.cpu_seconds
        for _ in range(STREAM_SECONDS):
            now = time.time()
            store.put_quotes(random_quote(symbol, random, now) for symbol in random.sample(SYMBOLS, ASSETS // 20))
            for reader in readers:
                reader.read1(1_000_000)
            time.sleep(1)
        share = (process.cpu_seconds - used) / (time.perf_counter() - began) * 100
    return Row("web.streams_100.cpu", share, "%", goal="< 30 % of a core", ok=share < 30)


@contextmanager
def _stream(process: WebProcess, number: int) -> Iterator[http.client.HTTPResponse]:
    # each one from its own address, because a client may have only a few streams
    source = (f"127.0.0.{number + 1}", 0)
    connection = http.client.HTTPConnection("127.0.0.1", process.port, timeout=30, source_address=source)
    connection.request("GET", "/api/v1/stream/quotes")
    try:
        yield connection.getresponse()
    finally:
        connection.close()


def _appending() -> Iterator[Row]:
    """Yield what the history of the charts adds to a fetch cycle, which is a goal of the console too."""
    with tempfile.TemporaryDirectory() as directory:
        server = RedisServer(Path(directory), aof=False).start()
        try:
            yield from (row for row in history.append_rows(server.client()) if row.ok is not None)
        finally:
            server.stop()
