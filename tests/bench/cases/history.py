"""Measures price histories: the cost of appending to them in a fetch cycle, their size, and the time to read them."""

import statistics
import tempfile
import time
from collections.abc import Callable
from decimal import Decimal
from itertools import count
from pathlib import Path
from random import Random
from typing import Any

from bench.rows import Row
from financehub_shared.core.durations import DAY_SECONDS
from financehub_shared.core.kinds import AssetType
from financehub_shared.core.models import Asset, Quote
from financehub_shared.market.encoding.history import encode_point
from financehub_shared.market.history_candles import INTERVALS, fold
from financehub_shared.market.redis_store import RedisStore
from financehub_shared.redis import keys
from financehub_shared.redis.client import connect
from support.redis_server import RedisServer

MIDNIGHT = 1_800_057_600.0
ASSETS = 1_000
#: Fetches with and without a history, which alternate, so that the load of the machine affects both.
ROUNDS = 100
#: Fetches of a coin per day (every 2 minutes), and of a US stock (every 5 minutes for 6.5 hours).
FETCHES = {"coin": 720, "stock": 79}
#: Days of the longest history that is read.
DAYS = 30
SYMBOLS = [f"S{number:04d}-USD" for number in range(ASSETS)]


def run() -> list[Row]:
    """Measure with a separate Redis."""
    with tempfile.TemporaryDirectory() as directory:
        server = RedisServer(Path(directory), aof=False).start()
        try:
            client = connect(server.url)
            return [*append_rows(client), *_size(client), *_read(client)]
        finally:
            server.stop()


def append_rows(client: Any) -> list[Row]:
    """Compare the CPU time of Redis and of the process in fetch cycles with and without a history."""
    random = Random(7)
    stores = {"with": RedisStore(client), "without": RedisStore(client, history_days=0)}
    stores["with"].put_assets(Asset(symbol, AssetType.CRYPTO) for symbol in SYMBOLS)
    cycle: dict[str, list[float]] = {name: [] for name in stores}
    write: dict[str, list[float]] = {name: [] for name in stores}
    fetches = count()
    for _ in range(ROUNDS):
        for name, store in stores.items():
            quotes = [_quote(symbol, MIDNIGHT + 120 * next(fetches), random) for symbol in SYMBOLS]
            started = _cpu(client)
            store.assets()
            store.quotes(SYMBOLS)
            store.disputes()
            read = _cpu(client)
            store.put_quotes(quotes)
            written = _cpu(client)
            store.mark_success("quotes:crypto", "binance", MIDNIGHT)
            cycle[name].append(_cpu(client) - started)
            write[name].append(written - read)
    rows = []
    for part, times, goal in (("cycle", cycle, 10.0), ("write", write, None)):
        # the lower quartile, because other load of the machine only adds to the time
        quartiles = {name: statistics.quantiles(values, n=4)[0] * 1e3 for name, values in times.items()}
        rows += [Row(f"history.{part}.{name}_1000", value, "ms of CPU") for name, value in quartiles.items()]
        added = (quartiles["with"] / quartiles["without"] - 1) * 100
        described = "" if goal is None else f"< {goal:g} %"
        rows.append(Row(f"history.{part}.added", added, "%", goal=described, ok=None if goal is None else added < goal))
    client.flushdb()
    return rows


def _cpu(client: Any) -> float:
    """Return the seconds of CPU that Redis and this process have used."""
    used = client.info("cpu")
    return float(used["used_cpu_user"] + used["used_cpu_sys"]) + time.process_time()


def _size(client: Any) -> list[Row]:
    """Measure the memory of one day of 1,000 assets."""
    rows = []
    for kind, fetches in FETCHES.items():
        before = client.info("memory")["used_memory"]
        for symbol in SYMBOLS:
            pipe = client.pipeline(transaction=False)
            for number in range(fetches):
                day, record = encode_point(_quote(symbol, MIDNIGHT + number * 120, Random(number)))
                pipe.append(keys.history(symbol, day), record)
            pipe.expire(keys.history(symbol, day), DAY_SECONDS)
            pipe.execute()
        used = client.info("memory")["used_memory"] - before
        key = int(client.memory_usage(keys.history(SYMBOLS[1], int(MIDNIGHT // DAY_SECONDS)), samples=0))
        rows += [
            Row(f"history.size.{kind}_day", key, "B"),
            Row(f"history.size.1000_{kind}s_day", used / 1e6, "MB"),
            Row(f"history.size.1000_{kind}s_week", used * 8 / 1e6, "MB"),
        ]
        client.flushdb()
    return rows


def _read(client: Any) -> list[Row]:
    """Measure reading and folding the longest history of one asset."""
    random = Random(7)
    store = RedisStore(client)
    store.put_assets([Asset("BTC-USD", AssetType.CRYPTO)])
    end = MIDNIGHT + DAYS * DAY_SECONDS
    pipe = client.pipeline(transaction=False)
    for number in range(DAYS * FETCHES["coin"]):
        day, record = encode_point(_quote("BTC-USD", MIDNIGHT + number * 120, random))
        pipe.append(keys.history("BTC-USD", day), record)
    pipe.execute()
    store.put_quotes([_quote("BTC-USD", end - 60, random)])
    points = store.history("BTC-USD", MIDNIGHT, end).points
    rows = [_time(f"fold_30_days_{interval}", 50, lambda s=s: fold(points, s)) for interval, s in INTERVALS.items()]
    return [
        *rows,
        _time("read_30_days", None, lambda: store.history("BTC-USD", MIDNIGHT, end)),
        _time("read_and_fold_30_days_5m", None, lambda: fold(store.history("BTC-USD", MIDNIGHT, end).points, 300)),
        _time("read_and_fold_1_day_5m", None, lambda: fold(store.history("BTC-USD", end - 86_400, end).points, 300)),
    ]


def _time(name: str, at_most: float | None, work: Callable[[], object]) -> Row:
    durations = []
    for _ in range(7):
        started = time.process_time()
        work()
        durations.append((time.process_time() - started) * 1e3)
    value = statistics.median(durations)
    goal = "" if at_most is None else f"< {at_most:g} ms"
    return Row(f"history.{name}", value, "ms of CPU", goal=goal, ok=None if at_most is None else value < at_most)


def _quote(symbol: str, at: float, random: Random) -> Quote:
    price = Decimal(f"{random.uniform(95, 105):.4f}")
    return Quote(symbol, price, "USD", at, at + 1, "simulated/binance", Decimal("1.25"), Decimal("12345.678"))
