"""A Redis with every kind of key that FinanceHub has, and a list of everything that reads them."""

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

import redis

from financehub_scheduler.metrics import FailingSchedules
from financehub_shared.breaker.admin import force_open, list_breakers
from financehub_shared.broker.dead_letter_queue import DeadLetterQueue
from financehub_shared.broker.janitor import Janitor
from financehub_shared.broker.queues import discover_queues, queue_stats
from financehub_shared.budget.budget import Budget
from financehub_shared.budget.usage import read_budgets
from financehub_shared.core.clock import ManualClock
from financehub_shared.core.kinds import AssetType
from financehub_shared.core.models import Asset, Quarantined
from financehub_shared.core.settings import Settings
from financehub_shared.health.checker import CACHE_SECONDS
from financehub_shared.health.fleet_metrics import FleetMetrics
from financehub_shared.health.processes import ProcessInfo, ProcessRegistry
from financehub_shared.health.readers import RedisReaders
from financehub_shared.health.report import HealthReport
from financehub_shared.market.quality.disputes import Claim, Dispute
from financehub_shared.market.quality.full_reads import FullRead
from financehub_shared.market.redis_store import RedisStore
from financehub_shared.monitor import RunState, TaskMonitor
from financehub_shared.monitor.record_writer import RecordWriter
from financehub_shared.monitor.run_filter import RunFilter
from financehub_shared.operations.schedules import pause_schedules
from financehub_shared.redis import keys, queue_keys
from financehub_shared.redis.scripts import RedisScripts
from financehub_shared.schedules import list_schedules, refused_schedules
from financehub_shared.schedules.requests import request_backfill, request_trigger
from support.hand_driven import build
from support.hostile_messages import message
from support.market_data import bars, indicators, news, quote
from support.redis_server import PATIENT_SECONDS
from support.run_events import end_event, start_event
from support.schedules import UID, schedule

OTHER_UID = "00000000-0000-4000-8000-000000000002"
FOLLOWER_UID = "00000000-0000-4000-8000-000000000009"
SYMBOLS = ["AAPL", "BTC-USD"]
#: Keys that no reader of the running release uses, or that expire within a minute.
UNUSED = {keys.WRITE_PROBE}
Readers = Mapping[str, Callable[[], Any]]


def fill(client: "redis.Redis", url: str) -> None:
    """Write each kind of key, with the code that writes it in a fleet where that is possible."""
    now = time.time()
    asyncio.run(_schedule(client, url, now))
    _put_market_data(RedisStore(client), now)
    for queue in ("q", "low"):
        for key, id in ((queue_keys.ready(queue), "waiting"), (queue_keys.ready(f"{queue}.DQ"), "delayed")):
            client.rpush(key, id)
            client.hset(f"{key}.msgs", id, message("task", id=id))
        client.sadd(queue_keys.acks("gone", queue), "held")
        client.hset(queue_keys.messages(queue), "held", message("task", id="held"))
        client.hset(queue_keys.losses(queue), "held", 1)
        client.zadd(queue_keys.dead(queue), {f"letter-{queue}": now * 1000})
        client.hset(queue_keys.dead_messages(queue), f"letter-{queue}", message("task", id="dead"))
    client.zadd(queue_keys.HEARTBEATS, {"gone": 5})
    writer = RecordWriter(client, time.monotonic, 86_400)
    for task in ("task", "other"):
        names = {"stats": keys.task_stats(task), "running": keys.task_running(task)}
        writer.record_start(start_event(f"{task}-runs", task=task, **names))
        writer.flush()
        end = end_event(f"{task}-ended", outcome=RunState.DEAD_LETTERED, task=task, uid=UID, schedule="s", **names)
        writer.record_end(end)
    registry = ProcessRegistry(client)
    for id in ("p-1", "p-2"):
        registry.write_heartbeat(ProcessInfo(id, "high", "host", 1, now, now))
    for upstream in ("yahoo", "binance"):
        force_open(client, upstream)
    asyncio.run(_budget(url).spend())


def _put_market_data(store: RedisStore, now: float) -> None:
    types = (AssetType.STOCK, AssetType.CRYPTO)
    store.put_assets(Asset(symbol, type) for symbol, type in zip(SYMBOLS, types, strict=True))
    store.reconcile_assets([Asset("ETH-USD", AssetType.CRYPTO, declared=True)])
    store.put_quotes(quote(symbol, fetched_at=now) for symbol in SYMBOLS)
    claims = {"binance": Claim(Decimal(2), now, now, now)}
    store.put_disputes({symbol: Dispute(now, claims, quote(symbol), now) for symbol in SYMBOLS})
    store.put_bars(bars(symbol, range(20_000, 20_010)) for symbol in SYMBOLS)
    store.put_full_reads(dict.fromkeys(SYMBOLS, FullRead(now, now + 60)))
    store.put_indicators(indicators(symbol, rsi_14=[1.0, 55.5]) for symbol in SYMBOLS)
    store.put_quarantined(Quarantined(kind, "AAPL", "binance", "not-found: it", "{}", now) for kind in ("quote", "bar"))
    store.put_news([replace(news(symbol, f"News of {symbol}", now, symbol), id=symbol) for symbol in SYMBOLS])
    for dataset in ("news", "bars"):
        store.mark_success(dataset, "rss", now)


def _budget(url: str) -> Budget:
    clock = ManualClock(time.time())
    return Budget("yahoo", [(60, 10)], RedisScripts.of_url(url, clock, timeout_seconds=PATIENT_SECONDS), clock)


async def _schedule(client: "redis.Redis", url: str, now: float) -> None:
    scheduler = build(url, ManualClock(now), client)
    await scheduler.load(
        schedule(concurrencyPolicy="Allow"), schedule("other", OTHER_UID, concurrencyPolicy="BufferAll")
    )
    await scheduler.pass_time(120)
    await scheduler.publisher.step()
    await scheduler.connection.aclose()
    client.hset(keys.SCHEDULES_BUFFERED, OTHER_UID, int(now * 1000))
    client.rpush(keys.schedule_buffered(OTHER_UID), int(now * 1000) + 60_000)
    request_trigger(client, "default/demo")
    request_backfill(client, "default/other", now - 7_200, now - 3_600)
    pause_schedules(client, ["default/demo"], "the provider changes its API", "alice")
    client.hset(keys.SCHEDULES_REFUSED, "file.yaml:1", '{"message": "no", "at": 1}')


def readers(client: "redis.Redis", url: str) -> Readers:
    """Return everything that reads Redis in a process, except the tasks. None of it may raise."""
    settings = Settings(redis_url=url)
    store, monitor, letters = RedisStore(client), TaskMonitor(client), DeadLetterQueue(client)
    clock = ManualClock(time.time())
    observers = RedisReaders(settings, clock)
    names = [*SYMBOLS, "ETH-USD"]

    def report() -> HealthReport:
        clock.advance(CACHE_SECONDS + 1)  # a cached report reads nothing
        return observers.checker.report()

    async def step() -> None:
        scheduler = build(url, ManualClock(time.time()), client)
        try:
            scheduler.engine.restore(await scheduler.registry.claim([UID, OTHER_UID], scheduler.clock.now()))
            follower = schedule("follower", FOLLOWER_UID, after="demo")
            await scheduler.load(schedule(), schedule("other", OTHER_UID), follower, keep_known_state=False)
            await scheduler.pauses.step()
            await scheduler.followers.step()
            await scheduler.on_demand.step()
            await scheduler.publisher.step()
            await scheduler.pass_time(120)
            assert not scheduler.engine._outage.active
        finally:
            await scheduler.connection.aclose()

    return {
        "assets": lambda: store.assets(active_only=False),
        "declared set": store.declared_set,
        "quotes": store.quotes,
        "times of quotes": lambda: store.quotes_fetched_at(names),
        "history": lambda: [store.history(symbol, clock.now() - 86_400, clock.now() + 60) for symbol in names],
        "disputes": store.disputes,
        "bars": lambda: store.bars(names),
        "last days": lambda: store.last_days(names),
        "full reads": lambda: store.full_reads(names),
        "indicators": store.indicators,
        "times of indicators": lambda: store.indicators_computed_at(names),
        "series": lambda: [store.indicator_series(symbol) for symbol in names],
        "news": store.news,
        "news of an asset": lambda: store.news("AAPL"),
        "quarantine": store.quarantined,
        "freshness": store.last_success,
        "queues": lambda: queue_stats(client, sorted(discover_queues(client))),
        "dead letters": letters.find,
        "a dead letter": lambda: letters.show("letter-q"),
        "statistics": monitor.get_all_stats,
        "runs": lambda: [monitor.get_recent_runs(task) for task in ("task", "other")],
        "runs of all tasks": monitor.find_runs,
        "failed runs": lambda: monitor.find_runs(RunFilter(state=RunState.DEAD_LETTERED)),
        "a run": lambda: monitor.get_run("task-ended"),
        "runs of a schedule": lambda: monitor.get_schedule_runs(UID),
        "schedules": lambda: list_schedules(client),
        "refused schedules": lambda: refused_schedules(client),
        "processes": ProcessRegistry(client).live,
        "breakers": lambda: list_breakers(client),
        "budgets": lambda: read_budgets(client, _budget(url).windows),
        "failing schedules": lambda: FailingSchedules({}, _Labels(), client).read(),
        "health report": report,
        "snapshot": observers.checker.collect,
        "metrics": lambda: list(FleetMetrics(observers.checker.collect, store, {}, ManualClock(0)).read()),
        "lost runs": lambda: monitor.declare_lost(time.time()),
        "old runs": lambda: monitor.drop_older(1.0),
        "old letters": lambda: letters.drop_older(1.0),
        "janitor": Janitor(client, heartbeat_timeout_seconds=60, dead_letter_retention_days=7).run,
        "scheduler": lambda: asyncio.run(step()),
    }


class _Labels:
    labels: tuple[str, ...] = ()


#: Reader → text that its result contains as long as the damage is to other records.
INTACT = {
    "assets": "BTC-USD",
    "quotes": "BTC-USD",
    "times of quotes": "BTC-USD",
    "history": "BTC-USD",
    "disputes": "BTC-USD",
    "bars": "BTC-USD",
    "last days": "BTC-USD",
    "full reads": "BTC-USD",
    "indicators": "BTC-USD",
    "times of indicators": "BTC-USD",
    "series": "BTC-USD",
    "news": "BTC-USD",
    "quarantine": "bar",
    "freshness": "bars",
    "queues": "'low'",
    "dead letters": "letter-low",
    "statistics": "'other'",
    "runs": "other-ended",
    "schedules": "default/other",
    "processes": "p-2",
    "breakers": "binance",
    "metrics": "binance",
    "health report": "binance",
}
#: Parts of the names of keys and entries that belong to the records in `INTACT`, which no damage touches.
_INTACT_NAMES = (b"BTC-USD", b"low", b"other", OTHER_UID.encode(), b"p-2", b"binance", b"bar")


def is_intact(name: bytes) -> bool:
    """Whether a key or an entry belongs to a record that must stay visible."""
    return any(part in name for part in _INTACT_NAMES)
