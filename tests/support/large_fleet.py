"""Fills a Redis with 1,000 assets and 10,000 runs, for the speed of the console and for tests of its pages."""

import time
from random import Random
from typing import TYPE_CHECKING, Any

from financehub_shared.core.kinds import AssetType
from financehub_shared.core.models import Asset, Quote
from financehub_shared.market.redis_store import RedisStore
from financehub_shared.monitor import RunState
from financehub_shared.monitor.record_writer import RecordWriter
from financehub_shared.monitor.run_events import attempt_finished
from financehub_shared.redis import keys
from support.market_data import quote
from support.run_events import start_event
from support.schedules import UID

if TYPE_CHECKING:
    import redis

ASSETS, RUNS = 1_000, 10_000
SYMBOLS = [f"S{number:04d}-USD" for number in range(ASSETS)]
#: Seconds between two runs.
_PERIOD = 60.0
_TASK = "fetch_news_task"


def put_many_assets(store: RedisStore) -> None:
    """Write the assets, each with a current quote."""
    random, now = Random(7), time.time()
    store.put_assets(Asset(symbol, AssetType.CRYPTO, name=f"Coin {symbol}") for symbol in SYMBOLS)
    store.put_quotes(random_quote(symbol, random, now) for symbol in SYMBOLS)


def random_quote(symbol: str, random: Random, at: float) -> Quote:
    """Return a quote with a price that nobody has seen before."""
    price = f"{random.uniform(0.1, 90_000):.6f}"
    return quote(symbol, price, fetched_at=at, change_percent=f"{random.uniform(-9, 9):.4f}", volume=price)


def put_many_runs(client: "redis.Redis") -> None:
    """Write the records of runs that have ended, one per minute, of which every tenth has failed."""
    now = time.time()
    writer = RecordWriter(client, time.monotonic, 30 * 86_400)
    names: dict[str, Any] = {name: getattr(keys, f"task_{name}")(_TASK) for name in ("stats", "running")}
    for number in range(RUNS):
        at = now - _PERIOD * (number + 1)
        fields: dict[str, Any] = {"started_at": at, "enqueued_at": at - 1, "uid": UID, "schedule": "default/demo"}
        start = start_event(f"many-{number:05}", task=_TASK, **names, **fields)
        outcome = RunState.SUCCEEDED if number % 10 else RunState.DEAD_LETTERED
        error = "" if outcome is RunState.SUCCEEDED else "ValueError: no"
        writer.record_end(attempt_finished(start, outcome, at + 2, 1.5 + number % 7, error=error))
        if not number % 500:
            writer.flush()
    writer.flush()
