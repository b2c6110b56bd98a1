"""Fills a Redis with 1,000 assets and 10,000 runs, for the speed of the console and for tests of its pages."""

import time
from random import Random
from typing import TYPE_CHECKING, Any

from financehub_shared.core.chunks import chunks
from financehub_shared.core.durations import DAY_SECONDS
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
    """Write the records of runs that have ended, one per minute, of which every tenth has failed.

    A record writer would take a minute for all of them on a busy machine, so all others are copies of its first two.
    """
    now = time.time()
    states = (RunState.DEAD_LETTERED, RunState.SUCCEEDED)
    samples = [client.hgetall(keys.run(_write_run(client, number, state, now))) for number, state in enumerate(states)]
    for numbers in chunks(range(RUNS), 500):
        pipeline = client.pipeline(transaction=False)
        for number in numbers:
            ended = now - _PERIOD * (number + 1)
            times = {"enqueued_at": ended - 3, "started_at": ended - 2, "finished_at": ended}
            name = _id_of(number)
            pipeline.hset(keys.run(name), mapping={**samples[min(number % 10, 1)], **times})  # type: ignore[dict-item]
            pipeline.expire(keys.run(name), 7 * DAY_SECONDS)
            pipeline.zadd(keys.task_recent(_TASK), {name: ended})
        pipeline.execute()


def _write_run(client: "redis.Redis", number: int, state: RunState, at: float) -> str:
    """Write the record of a run with the record writer, and return its id."""
    names: dict[str, Any] = {name: getattr(keys, f"task_{name}")(_TASK) for name in ("stats", "running")}
    fields: dict[str, Any] = {"started_at": at, "enqueued_at": at - 1, "uid": UID, "schedule": "default/demo"}
    start = start_event(_id_of(number), task=_TASK, **names, **fields)
    error = "" if state is RunState.SUCCEEDED else "ValueError: no"
    writer = RecordWriter(client, time.monotonic, 7 * DAY_SECONDS)
    writer.record_end(attempt_finished(start, state, at + 2, 1.5, error=error))
    writer.flush()
    return _id_of(number)


def _id_of(number: int) -> str:
    return f"many-{number:05}"
