"""Whatever another program writes under our keys, everything else goes on (F5)."""

import asyncio
import contextlib
import json
from collections.abc import Callable
from typing import Any

import pytest
import redis

from financehub_scheduler.kubernetes.status.snapshot import read_records, read_snapshots
from financehub_scheduler.metrics import FailingSchedules
from financehub_scheduler.redis.enqueuer import RunSubmission
from financehub_shared.breaker.admin import list_breakers
from financehub_shared.broker.dead_letter_queue import DeadLetterFilter, DeadLetterQueue
from financehub_shared.broker.janitor import Janitor
from financehub_shared.broker.queues import discover_queues, queue_stats
from financehub_shared.broker.redis_broker import FinanceHubBroker
from financehub_shared.core.errors import FinanceHubError
from financehub_shared.core.settings import Settings
from financehub_shared.health.processes import ProcessInfo, ProcessRegistry
from financehub_shared.health.readers import health_checker
from financehub_shared.monitor import TaskMonitor
from financehub_shared.redis import keys, queue_keys
from financehub_shared.redis.client import connect
from financehub_shared.redis.key_types import ASIDE
from financehub_shared.schedules import list_schedules, refused_schedules, show_schedule
from financehub_shared.schedules.backfill_list import list_backfills
from financehub_shared.schedules.requests import EARLIEST_BACKFILL, request_backfill, request_trigger
from support.hand_driven import Scheduler, T, build
from support.hostile_keys import TYPES, add_foreign_members, add_foreign_names, replace_key
from support.schedules import UID, messages, schedule

OTHER_UID = "00000000-0000-4000-8000-000000000002"
LAST_RUN = "last-run"
#: Every key that is not market data, with its type.
KEYS = {
    keys.BREAKERS: "set",
    keys.TASKS: "set",
    keys.PROCESSES: "zset",
    keys.process("p"): "string",
    keys.task_stats("demo_task"): "hash",
    keys.task_running("demo_task"): "zset",
    keys.task_recent("demo_task"): "zset",
    keys.run(LAST_RUN): "hash",
    keys.breaker("yahoo"): "hash",
    keys.HIGH_WATER_MARKS: "hash",
    keys.SCHEDULES: "zset",
    keys.SCHEDULE_NAMES: "hash",
    keys.SCHEDULES_REFUSED: "hash",
    keys.SCHEDULES_BUFFERED: "hash",
    keys.SCHEDULE_NEXT_RUNS: "hash",
    keys.SCHEDULE_TRIGGERS: "hash",
    keys.SCHEDULE_BACKFILLS: "set",
    keys.SCHEDULES_CHANGED: "set",
    keys.SCHEDULES_FAILING: "hash",
    keys.SCHEDULES_PAUSED: "hash",
    keys.schedule(UID): "hash",
    keys.schedule_recent(UID): "list",
    keys.schedule_backlog(UID): "list",
    keys.schedule_buffered(UID): "list",
    keys.schedule_backfills(UID): "list",
    queue_keys.HEARTBEATS: "zset",
    queue_keys.ready("q"): "list",
    queue_keys.messages("q"): "hash",
    queue_keys.messages("q.DQ"): "hash",
    queue_keys.dead("q"): "zset",
    queue_keys.dead_messages("q"): "hash",
    queue_keys.losses("q"): "hash",
    queue_keys.acks("dead-worker", "q"): "set",
}


async def fill(scheduler: Scheduler) -> None:
    """Store two schedules, a dead letter, a process, and a worker that died with a message."""
    client = scheduler.client
    await scheduler.load(schedule(), schedule("other", OTHER_UID))
    client.sadd(keys.TASKS, "demo_task")
    client.hset(keys.run(LAST_RUN), mapping={"state": "running", "task": "demo_task"})
    client.zadd(keys.task_running("demo_task"), {LAST_RUN: 1})
    client.sadd(queue_keys.acks("dead-worker", "other"), "held")
    client.hset(queue_keys.messages("other"), "held", "{}")
    client.zadd(queue_keys.dead("other"), {"letter": 1e15})
    client.hset(queue_keys.dead_messages("other"), "letter", "garbage")


def read_everything(client: "redis.Redis", url: str) -> None:
    """Call every reader. None of them may fail."""
    settings = Settings(redis_url=url)
    janitor = Janitor(client, heartbeat_timeout_seconds=60, dead_letter_retention_days=7, recovery_seconds=0)
    assert janitor.run()["other"] in {0, 1}
    assert client.exists(queue_keys.acks("dead-worker", "other")) == 0, "the other queue is reclaimed"
    letters = DeadLetterQueue(client)
    assert "letter" in {letter.id for letter in letters.find()}
    letters.show("letter")
    letters.requeue(DeadLetterFilter(queue="q"))
    letters.drop_older(1.0)
    letters.drop_older(1.0, dry_run=True)
    assert "other" in {stats.queue for stats in queue_stats(client, sorted(discover_queues(client)))}
    list_breakers(client)
    refused_schedules(client)
    list_schedules(client)
    monitor = TaskMonitor(client)
    monitor.get_all_stats()
    monitor.get_recent_runs("demo_task")
    monitor.get_run(LAST_RUN)
    monitor.get_schedule_runs(UID)
    list_backfills(client, UID)
    monitor.declare_lost(T)
    monitor.drop_older(1.0)
    registry = ProcessRegistry(client)
    registry.live()
    registry.write_heartbeat(ProcessInfo("p", "high", "h", 1, T, T))
    assert "p" in {process.id for process in registry.live()}
    FailingSchedules({}, _Labels(), client).read()
    snapshot = health_checker(settings).collect()
    assert snapshot.failures == {}
    for call in (
        lambda: show_schedule(client, "default/other"),
        lambda: request_trigger(client, "default/other"),
        lambda: request_backfill(client, "default/other", EARLIEST_BACKFILL, EARLIEST_BACKFILL + 1),
    ):
        _call_or_refuse(call)


class _Labels:
    labels: tuple[str, ...] = ()


def _call_or_refuse(call: Callable[[], Any]) -> None:
    with contextlib.suppress(FinanceHubError):
        call()


def work(url: str) -> None:
    """Do in Redis what a worker does. The scheduler's messages of both schedules arrive."""
    broker = FinanceHubBroker(client=connect(url, retries=0), middleware=[])
    broker.do_enqueue("q", "mine", b'{"new": 1}')
    fetched = broker.do_fetch("q", 100)
    assert b"mine" in fetched[::3]
    broker.do_requeue("q", "mine")
    assert b"mine" in broker.do_fetch("q", 100)[::3]
    broker.do_nack("q", "mine", b'{"new": 1}')
    assert [letter.id for letter in DeadLetterQueue(broker.client).find(DeadLetterFilter(queue="q", ids=["mine"]))]
    for id in fetched[::3]:
        broker.do_ack("q", id.decode(errors="surrogateescape"))
    broker.requeue_unfinished("q", everything=True)


async def run_scheduler(scheduler: Scheduler) -> None:
    """Take the steps of a scheduler's process, some time later."""
    scheduler.clock.advance(120)
    scheduler.engine.restore(await scheduler.registry.claim(list(scheduler.engine.states), scheduler.clock.now()))
    await scheduler.step_until_idle()
    await scheduler.pauses.step()
    await scheduler.on_demand.step()
    await scheduler.publisher.step()
    await scheduler.step_until_idle()
    await read_records(scheduler.connection, [UID, OTHER_UID])
    await read_snapshots(scheduler.connection, {UID: "", OTHER_UID: "backfill"})


@pytest.mark.parametrize("key", KEYS)
async def test_everything_with_a_key_of_another_type_goes_on(key: str, scheduler: Scheduler, redis_url: str):
    """Neither a reader nor a writer fails, both schedules run, and messages pass through the queue."""
    await fill(scheduler)
    janitor = Janitor(scheduler.client, heartbeat_timeout_seconds=60, dead_letter_retention_days=7, recovery_seconds=0)
    for type_ in TYPES:
        if type_ == KEYS[key]:
            continue
        replace_key(scheduler.client, key, type_)
        await run_scheduler(scheduler)
        assert not scheduler.engine._outage.active
        replace_key(scheduler.client, key, type_)
        read_everything(scheduler.client, redis_url)
        replace_key(scheduler.client, key, type_)
        await asyncio.to_thread(work, redis_url)
        scheduler.client.delete(key, ASIDE + key)
        for _ in range(2):  # it finds messages whose ids were in a list that was replaced
            janitor.run()
        await run_scheduler(scheduler)
        names = {message["options"]["schedule"] for message in messages(scheduler.client)}
        assert names == {"default/demo", "default/other"}
        scheduler.client.delete(queue_keys.ready("q"), queue_keys.messages("q"))


async def test_key_of_another_type_is_set_aside_not_lost(scheduler: Scheduler):
    """The value that another program wrote can be read under another name."""
    await fill(scheduler)
    replace_key(scheduler.client, keys.HIGH_WATER_MARKS, "string")
    await run_scheduler(scheduler)
    assert scheduler.client.get(ASIDE + keys.HIGH_WATER_MARKS) == b"another program's value"


async def test_everything_with_foreign_names_and_members_goes_on(scheduler: Scheduler, redis_url: str):
    """Keys and members with hostile names are left out, and the others are served."""
    await fill(scheduler)
    add_foreign_names(scheduler.client)
    add_foreign_members(scheduler.client)
    for uid in (UID, OTHER_UID):
        for hash_ in (keys.HIGH_WATER_MARKS, keys.SCHEDULES_BUFFERED, keys.SCHEDULE_NEXT_RUNS, keys.SCHEDULES_FAILING):
            scheduler.client.hset(hash_, uid, b"\xff")
    await run_scheduler(scheduler)
    read_everything(scheduler.client, redis_url)
    await asyncio.to_thread(work, redis_url)
    await run_scheduler(scheduler)
    assert {message["options"]["schedule"] for message in messages(scheduler.client)} == {
        "default/demo",
        "default/other",
    }


#: Lua and Python read some of these as numbers, and not the same ones.
NOT_NUMBERS: list[str | bytes] = [
    "",
    "abc",
    "nan",
    "inf",
    "-inf",
    "9e99",
    "9" * 400,
    "-5",
    b"\xff",
    "1.5",
    "0x10",
    " 7 ",
]
#: Times in the far future (ms): the year 2100, and the year 33658.
FAR_TIMES: list[str | bytes] = ["4102444800000", "999999999999999"]


@pytest.mark.parametrize("value", NOT_NUMBERS + FAR_TIMES)
async def test_schedules_with_damaged_numbers_run(value: str | bytes, scheduler: Scheduler, redis_url: str):
    """A number that someone has damaged neither ends the scheduler nor stops a schedule."""
    await fill(scheduler)
    client = scheduler.client
    for hash_ in (keys.HIGH_WATER_MARKS, keys.SCHEDULES_BUFFERED, keys.SCHEDULE_NEXT_RUNS, keys.SCHEDULES_FAILING):
        client.hset(hash_, UID, value)
    record = ("runs", "triggered", "missed", "skipped_overlap", "ended", "failures", "changed_at", "last_due_at")
    client.hset(keys.schedule(UID), mapping=dict.fromkeys(record, value))
    client.hset(keys.SCHEDULE_TRIGGERS, "request", json.dumps({"uid": UID, "at": T}))
    client.sadd(keys.SCHEDULE_BACKFILLS, "b")
    client.hset(keys.backfill("b"), mapping=dict.fromkeys(("cursor", "start", "end", "enqueued"), value) | {"uid": UID})
    await run_scheduler(scheduler)
    read_everything(client, redis_url)
    scheduler.engine.restore([UID])
    await run_scheduler(scheduler)
    runs = [(message["options"]["schedule"], message["options"].get("due_at")) for message in messages(client)]
    assert {name for name, _ in runs} == {"default/demo", "default/other"}
    assert len(set(runs)) == len(runs), "each due time is enqueued once"


@pytest.mark.parametrize("value", ["1799999990000", *NOT_NUMBERS, *FAR_TIMES])
async def test_due_time_before_a_damaged_mark_is_enqueued_by_one_of_two_schedulers(
    value: str | bytes, scheduler: Scheduler
):
    """Another scheduler submits the same due time after the mark was damaged, and later ones are enqueued."""
    demo = schedule(concurrencyPolicy="Allow")
    await scheduler.load(demo)
    assert await scheduler.outcomes(RunSubmission(demo, "due", T + 60)) == ["enqueued"]
    scheduler.client.hset(keys.HIGH_WATER_MARKS, UID, value)
    again = [RunSubmission(demo, "due", T + due) for due in (60, 120)]
    assert await scheduler.outcomes(*again) == ["already", "enqueued"]
    assert await scheduler.outcomes(*again) == ["already", "already"]


@pytest.mark.parametrize("value", NOT_NUMBERS + FAR_TIMES)
@pytest.mark.parametrize("damaged", ["mark", "change", "mark and change", "everything"])
async def test_restart_with_damaged_times_neither_repeats_nor_stops_a_schedule(
    value: str | bytes, damaged: str, scheduler: Scheduler, redis_url: str
):
    """After a restart, no due time that was enqueued is enqueued again, and the next ones are."""
    template = schedule(concurrencyPolicy="Allow", catchUp="All")
    await scheduler.load(template)
    for _ in range(5):
        await scheduler.pass_time(60)
    if damaged != "change":
        scheduler.client.hset(keys.HIGH_WATER_MARKS, UID, value)
    if damaged != "mark":
        scheduler.client.hset(keys.schedule(UID), "changed_at", value)
    if damaged == "everything":
        scheduler.client.hset(keys.schedule(UID), "last_due_at", value)
    restarted = build(redis_url, scheduler.clock, scheduler.client)
    await restarted.load(template)
    for _ in range(2):
        await restarted.pass_time(60)
    assert restarted.due() == [60.0, 120.0, 180.0, 240.0, 300.0, 360.0, 420.0]
    await restarted.connection.aclose()
