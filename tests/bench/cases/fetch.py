"""Measures fetching from the simulator at 50 ms latency: quotes of all assets, and daily bars of 1,000 assets."""

import asyncio
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import redis
import redis.asyncio
import structlog

from bench.rows import Row
from financehub_high_priority.quotes import refresh_quotes
from financehub_medium_priority.indicators.bar_update import update_bars
from financehub_shared.core.clock import SystemClock
from financehub_shared.core.kinds import AssetType
from financehub_shared.core.models import Asset, Bars
from financehub_shared.core.settings import load_settings
from financehub_shared.market.redis_store import RedisStore
from financehub_shared.providers.build import Providers, build_providers
from financehub_simulator.universe import bench_coins, bench_stocks
from support.redis_server import RedisServer
from support.simulator import RunningSimulator

ASSETS = 1_000
LATENCY = 0.05
HISTORY_DAYS = 500
#: Number of assets whose bars are in memory together, as in the indicator task.
CHUNK = 250
COINS = [Asset(symbol, AssetType.CRYPTO) for symbol in bench_coins(ASSETS)]
STOCKS = [Asset(symbol, AssetType.STOCK) for symbol in bench_stocks(ASSETS)]
TASKS = {AssetType.CRYPTO: "fetch_crypto_prices_task", AssetType.STOCK: "fetch_stock_prices_task"}
CLOCK = SystemClock()


def run() -> list[Row]:
    """Fetch in this process as the tiers do, with one Redis and with the simulator in its own process."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    with tempfile.TemporaryDirectory() as directory, RunningSimulator(latency=LATENCY, process=True) as simulator:
        server = RedisServer(Path(directory), aof=False).start()
        try:
            return asyncio.run(_rows(simulator, server))
        finally:
            server.stop()


async def _rows(simulator: RunningSimulator, server: RedisServer) -> list[Row]:
    store = RedisStore(server.client())
    store.put_assets([*COINS, *STOCKS])
    providers = build_providers(load_settings(simulator.environment), CLOCK, lambda *_: None, redis_url=server.url)
    try:
        return [
            *await _cycles(simulator, store, providers),
            *await _bars("coins", "binance", COINS, simulator, store, providers),
            *await _bars("stocks", "yahoo", STOCKS, simulator, store, providers),
        ]
    finally:
        await providers.aclose()


async def _cycles(simulator: RunningSimulator, store: RedisStore, providers: Providers) -> list[Row]:
    rows: list[Row] = []
    for name, goal in (("first", None), ("next", 2.0)):
        simulator.reset()
        with _round_trips() as trips:
            started = time.perf_counter()
            stored = [await fetch_quotes_of(type, store, providers) for type in (AssetType.CRYPTO, AssetType.STOCK)]
            seconds = time.perf_counter() - started
        if stored != [ASSETS, ASSETS]:
            raise RuntimeError(f"stored {stored} quotes of {ASSETS} each")
        requests = {upstream: sum(paths.values()) for upstream, paths in simulator.request_counts().items()}
        coins = requests.get("binance", 0) + requests.get("kraken", 0) + requests.get("coingecko", 0)
        stocks = requests.get("yahoo", 0)
        rows += [
            _row(f"{name}.requests.coins", coins, "requests", 2),
            _row(f"{name}.requests.stocks", stocks, "requests", 11 if goal else None),
            _row(f"{name}.redis", trips["store"], "round trips", 40),
            _row(f"{name}.redis.guards", trips["guards"], "round trips", None),
            _row(f"{name}.seconds", seconds, "s", goal),
        ]
    return rows


async def fetch_quotes_of(type: AssetType, store: RedisStore, providers: Providers) -> int:
    """Run the price task of a type, and return the number of stored quotes."""
    summary = await refresh_quotes(TASKS[type], None, store=store, provider_orders=providers.quotes, clock=CLOCK)
    return summary.stored


async def _bars(
    name: str,
    upstream: str,
    assets: Sequence[Asset],
    simulator: RunningSimulator,
    store: RedisStore,
    providers: Providers,
) -> list[Row]:
    """Measure fetching with an empty store, with a complete store, and with a store that lacks the newest day."""
    simulator.reset()
    cpu = time.process_time()
    cold_seconds, _ = await update_all_bars(assets, store, providers)
    cpu = time.process_time() - cpu
    cold = _bar_requests(simulator, upstream)
    simulator.reset()
    warm_seconds, _ = await update_all_bars(assets, store, providers)
    warm = _bar_requests(simulator, upstream)
    stored = store.bars([asset.symbol for asset in assets])
    if len(stored) != ASSETS:
        raise RuntimeError(f"bars of {len(stored)} {name} are stored")
    # Like another process, new providers have no cache. The store lacks the newest day.
    store.remove_assets([asset.symbol for asset in assets])
    store.put_bars(_without_newest(bars) for bars in stored.values())
    simulator.reset()
    new_providers = build_providers(load_settings(simulator.environment), CLOCK, lambda *_: None, redis_url=None)
    try:
        _, fetched = await update_all_bars(assets, store, new_providers)
    finally:
        await new_providers.aclose()
    return [
        _row(f"bars.{name}.cold.seconds", cold_seconds, "s", 30),
        # This process only, without the simulator and Redis.
        _row(f"bars.{name}.cold.cpu", cpu, "s", None),
        _row(f"bars.{name}.cold.requests", cold, "requests", ASSETS),
        _row(f"bars.{name}.warm.seconds", warm_seconds, "s", None),
        _row(f"bars.{name}.warm.requests", warm, "requests", 0),
        _row(f"bars.{name}.day.requests", _bar_requests(simulator, upstream), "requests", ASSETS),
        _row(f"bars.{name}.day.bars", fetched, "bars", ASSETS),
    ]


async def update_all_bars(assets: Sequence[Asset], store: RedisStore, providers: Providers) -> tuple[float, int]:
    """Fetch, check and store bars as the indicators task does; return the seconds and the number of new bars."""
    started, new = time.perf_counter(), 0
    for start in range(0, len(assets), CHUNK):
        update = await update_bars(
            assets[start : start + CHUNK],
            store=store,
            fetcher=providers.bars,
            history_days=HISTORY_DAYS,
            deadline=CLOCK.monotonic() + 300,
            clock=CLOCK,
        )
        if update.late:
            raise RuntimeError(f"no bars of {len(update.late)} assets; the first is {next(iter(update.late.items()))}")
        new += update.new
    return time.perf_counter() - started, new


def _bar_requests(simulator: RunningSimulator, upstream: str) -> int:
    return sum(
        number for path, number in simulator.request_counts(upstream).items() if "klines" in path or "chart" in path
    )


def _without_newest(bars: Bars) -> Bars:
    columns = (bars.days, bars.open, bars.high, bars.low, bars.close, bars.volume)
    return Bars(bars.symbol, bars.provider, *(column[:-1] for column in columns))


@contextmanager
def _round_trips() -> Iterator[dict[str, int]]:
    """Count round trips to Redis: by the store (blocking client), and by budgets and breakers (async client)."""
    trips = {"store": 0, "guards": 0}
    blocking, coroutines = redis.connection.AbstractConnection, redis.asyncio.connection.AbstractConnection
    send, asend = blocking.send_packed_command, coroutines.send_packed_command

    def counted(self: object, *args: object, **kwargs: object) -> object:
        trips["store"] += 1
        return send(self, *args, **kwargs)

    async def acounted(self: object, *args: object, **kwargs: object) -> object:
        trips["guards"] += 1
        return await asend(self, *args, **kwargs)

    blocking.send_packed_command, coroutines.send_packed_command = counted, acounted
    try:
        yield trips
    finally:
        blocking.send_packed_command, coroutines.send_packed_command = send, asend


def _row(name: str, value: float, unit: str, at_most: float | None) -> Row:
    goal = "" if at_most is None else f"<= {at_most:g} {unit}"
    return Row(f"fetch.{name}", value, unit, goal=goal, ok=None if at_most is None else value <= at_most)
