"""Measures fetching, checking, storing and computing by the number of assets: 100, 1,000 and 10,000.

A fifth of the assets are coins, at most 1,000, and the others are stocks. The upstream replays answers of the simulator
after 50 ms. `SIZES=100,1000` in the environment measures fewer sizes. `FLAMES=after` also draws flame graphs of the
largest size, docs/images/flames-<part>-after.svg; this needs py-spy.
"""

import asyncio
import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import structlog

from bench import flames
from bench.arrivals import cpu_seconds
from bench.cases import fetch, indicators
from bench.cases.store import make_article, make_quote
from bench.charts import Chart
from bench.replay import ReplayingUpstream, fetch_bare
from bench.rows import Row
from financehub_shared.core.chunks import chunks
from financehub_shared.core.kinds import AssetType
from financehub_shared.core.models import Asset
from financehub_shared.core.settings import load_settings
from financehub_shared.market.redis_store import RedisStore
from financehub_shared.market.repository import BATCH
from financehub_shared.providers.bar_fetcher import CONCURRENCY
from financehub_shared.providers.build import build_providers
from financehub_shared.redis import keys
from financehub_shared.redis.client import connect
from financehub_shared.worker.garbage import limit_collections
from financehub_simulator.universe import LISTED_BENCH_COINS, bench_coins, bench_stocks
from support.redis_server import RedisServer
from support.simulator import RunningSimulator

SIZES = (100, 1_000, 10_000)
#: Bars are fetched of coins only. Binance's limit of 6,000 per minute allows 3,000 of these requests.
BAR_SIZES = (100, 300, 1_000)
#: The goals in seconds are for the largest size.
GOALS = {"cycle": 15.0, "indicators": 30.0, "bars_cold": 6.0, "news": 1.0}
LATENCY = 0.05
_BARE_KEY = "bench:bare"

CHARTS = (
    Chart(
        "Fetch cycle (s)",
        "assets",
        {"first": "cycle_first", "next": "cycle", "CPU": "cycle_cpu", "the wire": "cycle_wire"},
        goal=GOALS["cycle"],
    ),
    Chart("Indicators of stored bars (s)", "assets", {"task": "indicators"}, goal=GOALS["indicators"]),
    Chart(
        "Cold daily bars of coins (s)",
        "coins",
        {"fetched and stored": "bars_cold", "CPU": "bars_cold_cpu", "the wire": "bars_cold_wire"},
        goal=GOALS["bars_cold"],
    ),
    Chart("Storing articles (s)", "articles", {"all": "news", "Redis": "news_redis"}, GOALS["news"]),
    Chart("Memory of Redis (MB)", "assets", {"all data": "redis_memory"}),
    Chart("Memory of Redis per asset (kB)", "assets", {"all data": "redis_memory_per_asset"}, linear=False),
)


def run() -> list[Row]:
    """Measure each part at each size, with its own Redis."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    limit_collections()  # as a worker does
    chosen = {int(size) for size in os.environ.get("SIZES", "").split(",") if size}
    rows: list[Row] = []
    for size in SIZES:
        if not chosen or size in chosen:
            rows += [*_cycle_rows(size), *_indicator_rows(size), *_news_rows(size)]
    for size in BAR_SIZES:
        if not chosen or size in chosen:
            rows += _bar_rows(size)
    return rows


@dataclass(slots=True)
class _Cost:
    """What a part took: seconds, and seconds of CPU time of this process, of Redis and of the upstream."""

    wall: float = 0.0
    cpu: float = 0.0
    redis: float = 0.0
    upstream: float = 0.0


@dataclass(slots=True)
class _Bench:
    """A Redis and an upstream for one size."""

    server: RedisServer
    simulator: RunningSimulator
    upstream: ReplayingUpstream
    client: Any = field(init=False)

    def __post_init__(self) -> None:
        self.client = connect(self.server.url)

    @contextmanager
    def measured(self) -> Iterator[_Cost]:
        """Measure the costs of the body."""
        cost = _Cost()
        before = (
            time.perf_counter(),
            time.process_time(),
            _redis_cpu(self.client),
            cpu_seconds(self.upstream.process.pid),
        )
        yield cost
        after = (
            time.perf_counter(),
            time.process_time(),
            _redis_cpu(self.client),
            cpu_seconds(self.upstream.process.pid),
        )
        cost.wall, cost.cpu, cost.redis, cost.upstream = (new - old for old, new in zip(before, after, strict=True))


@contextmanager
def _bench() -> Iterator[_Bench]:
    with (
        tempfile.TemporaryDirectory() as directory,
        RunningSimulator(process=True, enforce_rate_limits=False) as simulator,
        ReplayingUpstream(simulator.base_url, LATENCY) as upstream,
    ):
        server = RedisServer(Path(directory), aof=False).start()
        try:
            yield _Bench(server, simulator, upstream)
        finally:
            server.stop()


def _cycle_rows(size: int) -> list[Row]:
    """Fetch the quotes of all assets as the two price tasks do."""
    coins = min(size // 5, LISTED_BENCH_COINS)
    assets = [
        *(Asset(symbol, AssetType.CRYPTO) for symbol in bench_coins(coins)),
        *(Asset(symbol, AssetType.STOCK) for symbol in bench_stocks(size - coins)),
    ]
    with _bench() as bench:
        asyncio.run(_cycles(bench, assets, 1))  # the upstream records the answers
        first, following = asyncio.run(_cycles(bench, assets, 2))
        name = f"{size:,} assets"
        if size == SIZES[-1] and flames.VARIABLE in os.environ:
            with flames.drawn("cycle", f"Fetch cycles of {name}"):
                asyncio.run(_cycles(bench, assets, 5))
        addresses = bench.upstream.addresses()
        with bench.measured() as wire:
            asyncio.run(fetch_bare(bench.upstream.port, addresses, CONCURRENCY))
        quotes = bench.client.hgetall(keys.QUOTES)
        with bench.measured() as bare:
            for batch in chunks(list(quotes.items()), BATCH):
                bench.client.hset(_BARE_KEY, mapping=dict(batch))
    return [
        _row("cycle_first", size, first.wall, "s"),
        _row("cycle", size, following.wall, "s", GOALS["cycle"]),
        _row("cycle_cpu", size, following.cpu, "s"),
        _row("cycle_redis", size, following.redis, "s"),
        _row("cycle_upstream", size, following.upstream, "s"),
        _row("cycle_wire", size, wire.wall, "s"),
        _row("cycle_wire_cpu", size, wire.cpu, "s"),
        _row("cycle_bare_redis", size, bare.wall, "s"),
    ]


async def _cycles(bench: _Bench, assets: Sequence[Asset], count: int) -> list[_Cost]:
    """Fetch all quotes with an empty Redis, and again, in one process."""
    bench.client.flushdb()
    store = RedisStore(bench.client)
    store.put_assets(assets)
    environment = load_settings(bench.upstream.environment)
    providers = build_providers(environment, fetch.CLOCK, lambda *_: None, redis_url=bench.server.url)
    costs = []
    try:
        for _ in range(count):
            with bench.measured() as cost:
                stored = [await fetch.fetch_quotes_of(type, store, providers) for type in AssetType]
            costs.append(cost)
            if sum(stored) != len(assets):
                raise RuntimeError(f"stored {stored} quotes of {len(assets)} assets")
    finally:
        await providers.aclose()
    return costs


def _bar_rows(size: int) -> list[Row]:
    """Fetch, check and store the bars of coins of which none are stored."""
    assets = [Asset(symbol, AssetType.CRYPTO) for symbol in bench_coins(size)]
    with _bench() as bench:
        simulator = _simulator_cpu(bench)
        asyncio.run(_cold_bars(bench, assets))
        simulator = _simulator_cpu(bench) - simulator
        cold = asyncio.run(_cold_bars(bench, assets))
        if size == BAR_SIZES[-1] and flames.VARIABLE in os.environ:
            with flames.drawn("bars", f"Cold daily bars of {size:,} coins"):
                asyncio.run(_cold_bars(bench, assets))
        addresses = [address for address in bench.upstream.addresses() if "klines" in address]
        with bench.measured() as wire:
            asyncio.run(fetch_bare(bench.upstream.port, addresses, CONCURRENCY))
        blobs = {symbol: bench.client.get(keys.bars(symbol)) for symbol in bench_coins(size)}
        with bench.measured() as bare:
            for batch in chunks(list(blobs.items()), BATCH):
                bench.client.mset({f"{_BARE_KEY}:{symbol}": blob for symbol, blob in batch})
    return [
        _row("bars_cold", size, cold.wall, "s", GOALS["bars_cold"]),
        _row("bars_cold_cpu", size, cold.cpu, "s"),
        _row("bars_cold_redis", size, cold.redis, "s"),
        _row("bars_cold_upstream", size, cold.upstream, "s"),
        _row("bars_cold_simulator", size, simulator, "s"),
        _row("bars_cold_wire", size, wire.wall, "s"),
        _row("bars_cold_wire_cpu", size, wire.cpu, "s"),
        _row("bars_cold_bare_redis", size, bare.wall, "s"),
    ]


async def _cold_bars(bench: _Bench, assets: Sequence[Asset]) -> _Cost:
    bench.client.flushdb()
    store = RedisStore(bench.client)
    store.put_assets(assets)
    environment = load_settings(bench.upstream.environment)
    providers = build_providers(environment, fetch.CLOCK, lambda *_: None, redis_url=bench.server.url)
    try:
        with bench.measured() as cost:
            _, bars = await fetch.update_all_bars(assets, store, providers)
    finally:
        await providers.aclose()
    if not bars >= len(assets) * (fetch.HISTORY_DAYS - 1):
        raise RuntimeError(f"stored {bars} bars of {len(assets)} coins")
    return cost


def _indicator_rows(size: int) -> list[Row]:
    """Run the indicators task in its own process with stored bars, and measure the memory of all data of the assets."""
    with tempfile.TemporaryDirectory() as directory:
        server = RedisServer(Path(directory), aof=False).start()
        try:
            client = connect(server.url)
            empty = client.info("memory")["used_memory"]
            indicators.load(server.url, size)
            store = RedisStore(client)
            random = Random(7)
            for batch in chunks([make_quote(f"B{number}-USD", random) for number in range(size)], BATCH):
                store.put_quotes(batch)
            measured = indicators.measure(server.url)
            used = client.info("memory")["used_memory"] - empty
        finally:
            server.stop()
    return [
        _row("indicators", size, measured["first"], "s", GOALS["indicators"]),
        _row("indicators_memory", size, measured["rss"], "MB"),
        _row("redis_memory", size, used / 1e6, "MB"),
        _row("redis_memory_per_asset", size, used / size / 1e3, "kB"),
    ]


def _news_rows(size: int) -> list[Row]:
    """Store new articles."""
    random = Random(7)
    articles = [make_article(number, random) for number in range(size)]
    with tempfile.TemporaryDirectory() as directory:
        server = RedisServer(Path(directory), aof=False).start()
        try:
            client = connect(server.url)
            store = RedisStore(client)
            store.put_news(articles[:1])  # compiles the patterns
            client.flushdb()
            before = time.perf_counter(), time.process_time(), _redis_cpu(client)
            store.put_news(articles)
            after = time.perf_counter(), time.process_time(), _redis_cpu(client)
        finally:
            server.stop()
    wall, cpu, redis = (new - old for old, new in zip(before, after, strict=True))
    return [
        _row("news", size, wall, "s", GOALS["news"]),
        _row("news_cpu", size, cpu, "s"),
        _row("news_redis", size, redis, "s"),
    ]


def _redis_cpu(client: Any) -> float:
    used = client.info("cpu")
    return float(used["used_cpu_user"] + used["used_cpu_sys"])


def _simulator_cpu(bench: _Bench) -> float:
    assert bench.simulator.pid is not None
    return cpu_seconds(bench.simulator.pid)


def _row(figure: str, size: int, value: float, unit: str, goal: float | None = None) -> Row:
    is_goal = goal is not None and size in {SIZES[-1], BAR_SIZES[-1] if figure == "bars_cold" else SIZES[-1]}
    text = f"< {goal:g} {unit}" if is_goal else ""
    return Row(f"scale.assets.{figure}.{size}", value, unit, goal=text, ok=value < (goal or 0) if is_goal else None)
