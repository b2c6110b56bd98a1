"""Tests the headline of the Overview with a real server and a real Redis."""

import asyncio
import re
import time

import redis

from financehub_shared.core.catalog import Tier
from financehub_shared.core.clock import ManualClock
from financehub_shared.core.kinds import AssetType
from financehub_shared.core.models import Asset
from financehub_shared.health.freshness import DATASETS
from financehub_shared.health.processes import ProcessInfo, ProcessRegistry
from financehub_shared.market.redis_store import RedisStore
from financehub_shared.redis import keys, queue_keys
from financehub_shared.redis.schedule_record import NextRuns, ScheduleField
from financehub_shared.schedules import list_schedules
from support.console import put_letter
from support.hand_driven import build
from support.hostile_messages import message
from support.market_data import quote
from support.schedules import schedule
from support.web_server import serving


def _make_healthy(client: redis.Redis, url: str) -> str:
    """Fill an empty Redis like that of a fleet without problems, and return the uid of its schedule."""
    now = time.time()
    client.config_set("maxmemory-policy", "noeviction")

    async def load() -> None:
        scheduler = build(url, ManualClock(now), client)
        await scheduler.load(schedule(queue="low"))
        await scheduler.connection.aclose()

    asyncio.run(load())
    store, registry = RedisStore(client), ProcessRegistry(client)
    store.put_assets([Asset("AAPL", AssetType.STOCK, "Apple")])
    store.put_quotes([quote("AAPL", "456.06", now)])
    for dataset in DATASETS:
        store.mark_success(dataset, "yahoo", now)
    for tier in (*Tier, "scheduler"):
        info = ProcessInfo(f"p-{tier}", tier, "host", 1, now, now, (tier,), 1, 0)
        registry.write_heartbeat(info)
        client.persist(keys.process(info.id))  # the test may take longer than a heartbeat lasts
    (listed,) = list_schedules(client)
    client.zadd(keys.SCHEDULES, {listed.uid: now})
    client.hset(keys.SCHEDULE_NEXT_RUNS, listed.uid, NextRuns((now + 3_600,)).to_json())
    return listed.uid


def _answer(page: str) -> tuple[str, str, str]:
    """Return the mark in the title, what the header says, and the headline of the Overview."""
    title, header, headline = (
        re.search(pattern, page, re.DOTALL)
        for pattern in ("<title>(.)", r'<a class="verdict [^"]*"[^>]*>(.*?)</a>', "<h1>([^<]*)</h1>")
    )
    assert title
    assert header
    assert headline
    return title[1], re.sub(r"<[^>]*>", "", header[1]), headline[1]


def test_overview_is_not_all_right_above_what_needs_attention(redis_client: redis.Redis, redis_url: str) -> None:
    """In a healthy fleet, a late schedule and a dead letter change the headline, the header and the title alike."""
    uid = _make_healthy(redis_client, redis_url)
    with serving(redis_url) as server, server.client() as client:
        title, header, headline = _answer(client.get("/").text)
        assert (title, headline) == ("✓", "Everything is all right."), client.get("/api/health/").text
        assert header == "✓ All right"
        redis_client.hset(keys.SCHEDULE_NEXT_RUNS, uid, NextRuns((time.time() - 120,)).to_json())
        last_run = {ScheduleField.LAST_RUN_OUTCOME: "lost", ScheduleField.LAST_RUN_ERROR: "the worker <died>"}
        redis_client.hset(keys.schedule(uid), mapping={name.value: value for name, value in last_run.items()})
        time.sleep(2.1)  # then Redis is read again
        page = client.get("/").text
        title, header, headline = _answer(page)
        assert (title, headline) == ("▲", "One schedule needs attention.")
        assert header == "▲ Needs attention"
        assert 'class="verdict degraded"' in page
        assert "its next run is late; its last run failed: the worker &lt;died&gt;</td>" in page
        put_letter(redis_client, "letter", message("fetch_news_task", id="letter"))
        time.sleep(2.1)
        assert _answer(client.get("/").text)[2] == "One schedule and one dead letter need attention."
        assert "<title>▲ This page does not exist" in client.get("/nope").text
        assert client.get("/api/health/").json()["status"] == "ok"


def test_overview_says_how_many_processes_and_hidden_queues_there_are(
    redis_client: redis.Redis, redis_url: str
) -> None:
    """One process with one thread is singular, and other queues are named only if the table leaves some out."""
    now = time.time()
    ProcessRegistry(redis_client).write_heartbeat(ProcessInfo("p", "low", "host", 1, now, now, ("low",), 1, 0))
    _put_dead("low", redis_client)
    with serving(redis_url) as server, server.client() as client:
        page = client.get("/").text
        assert "1 process is live with 1 thread, none of them busy." in page
        for queue, sentence in (
            ("", "shows each process and the other queues, which are empty."),
            ("high", "shows each process and the other queue, which is empty."),
            ("medium", "shows each process."),
        ):
            if queue:
                _put_dead(queue, redis_client)
                time.sleep(2.1)  # then Redis is read again
            assert f"{sentence}</p>" in client.get("/").text


def _put_dead(queue: str, client: redis.Redis) -> None:
    client.zadd(queue_keys.dead(queue), {"letter": time.time() * 1000})
    client.hset(queue_keys.dead_messages(queue), "letter", message("fetch_news_task", id="letter"))
