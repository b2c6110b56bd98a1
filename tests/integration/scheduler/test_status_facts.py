"""What Redis knows of schedules for their status: written by schedulers and by a real worker, read in few trips."""

import time
from typing import Any

import pytest
import redis
from dramatiq import Message, MessageProxy

from financehub_scheduler.api.scheduled_task import BACKFILL, TRIGGER
from financehub_scheduler.kubernetes.status.snapshot import Facts, Record, read_facts, read_records
from financehub_scheduler.redis.enqueuer import ScheduledRun
from financehub_shared.broker.message import attempt_id
from financehub_shared.monitor import RunState
from financehub_shared.monitor.attempt import Attempt
from financehub_shared.monitor.record_writer import RecordWriter
from financehub_shared.monitor.run_events import attempt_started
from financehub_shared.redis import keys
from support.hand_driven import Scheduler, T
from support.observed import Fleet
from support.schedules import UID, messages, schedule

BUSY = "6d1c1a64-8a63-5a0e-9b0a-1f0e6b7d2c12"


def touched(client: "redis.Redis") -> set[str]:
    """Take out who was touched, as the writer of status does."""
    found: Any = client.spop(keys.SCHEDULES_CHANGED, 1_000)
    return {uid.decode() for uid in found}


async def facts(scheduler: Scheduler, uid: str = UID, backfill: str = "") -> Facts:
    """Those of one schedule."""
    return (await read_facts(scheduler.connection, {uid: backfill}))[uid]


async def test_an_enqueue_touches_its_schedule(scheduler: Scheduler) -> None:
    """Whoever fires is touched, once per change, and nobody else; so is whoever is skipped."""
    await scheduler.load(schedule(), schedule("rare", BUSY, schedule="@yearly"))
    assert touched(scheduler.client) == set()
    await scheduler.pass_time(60)
    assert touched(scheduler.client) == {UID}
    await scheduler.pass_time(60)
    assert touched(scheduler.client) == {UID}
    record = (await facts(scheduler)).record
    assert (record.runs, record.skipped, record.last_skip) == (1, 1, ("overlap", T + 120.5))


async def test_a_run_that_another_enqueued_touches_nobody(scheduler: Scheduler, second: Scheduler) -> None:
    """A scheduler that comes second changes no record, and touches none."""
    for each in (scheduler, second):
        await each.load(schedule())
    await scheduler.pass_time(60)
    touched(scheduler.client)
    await second.settle()
    assert touched(scheduler.client) == set()


async def test_misses_touch_and_move_no_last_due_time(scheduler: Scheduler) -> None:
    """Due times that are given up are counted and told of; the last due time stays that of a run."""
    await scheduler.load(schedule(catchUp="None"))
    await scheduler.pass_time(60)
    touched(scheduler.client)
    await scheduler.pass_time(600 - 40)
    assert touched(scheduler.client) == {UID}
    record = (await facts(scheduler)).record
    assert (record.missed, record.runs, record.last_due_at) == (9, 1, T + 60)


@pytest.mark.parametrize("kind", ["annotation", "backfill"])
async def test_runs_beside_the_timetable_move_no_last_due_time(scheduler: Scheduler, kind: str) -> None:
    """Triggered and backfilled runs are counted apart, and are no scheduled runs."""
    annotations = {TRIGGER: "now"} if kind == "annotation" else {BACKFILL: "2027-01-15T07:00:00Z/2027-01-15T07:01:00Z"}
    await scheduler.load(schedule(annotations=annotations, concurrencyPolicy="Allow"))
    await scheduler.on_demand.step()
    assert touched(scheduler.client) == {UID}
    record = (await facts(scheduler)).record
    assert record.last_due_at is None
    assert (record.runs, record.triggered, record.backfilled) == ((0, 1, 0) if kind == "annotation" else (0, 0, 2))


async def test_a_buffered_run_is_a_scheduled_one(scheduler: Scheduler) -> None:
    """The run that `BufferOne` let wait has the due time it waited from."""
    await scheduler.load(schedule(concurrencyPolicy="BufferOne"))
    await scheduler.pass_time(60)
    await scheduler.pass_time(60)
    scheduler.end_run(scheduler.field(UID, "last_message_id") or "")
    await scheduler.on_demand.step()
    assert (await facts(scheduler)).record.last_due_at == T + 120


async def test_each_move_of_a_backfill_touches(scheduler: Scheduler) -> None:
    """A backfill touches its schedule when it is asked for, when it moves, and when it ends, finished or refused."""
    one = schedule(annotations={BACKFILL: "2027-01-15T07:00:00Z/2027-01-15T07:59:00Z"}, concurrencyPolicy="Allow")
    assert one.backfill
    await scheduler.load(one)
    seen: list[tuple[str, int, bool]] = []
    for _ in range(4):
        await scheduler.on_demand.step()
        progress = (await facts(scheduler, backfill=one.backfill.id)).backfill
        assert progress
        seen.append((progress.state, progress.enqueued, touched(scheduler.client) == {UID}))
    assert seen == [("running", 50, True), ("running", 60, True), ("finished", 60, True), ("finished", 60, False)]


@pytest.mark.parametrize("fails", [False, True])
async def test_the_end_of_a_run_touches_its_schedule(scheduler: Scheduler, redis_url: str, fails: bool) -> None:
    """What a worker makes of a run is in the facts as soon as its schedule is touched."""
    fleet = Fleet(redis_url)

    def task() -> None:
        touched(fleet.client)
        if fails:
            raise ValueError("no such thing")

    fleet.actor(task, max_retries=0)
    await scheduler.load(schedule(task="task", queue="high"))
    await scheduler.pass_time(60)
    (message,) = messages(scheduler.client, "high")
    fleet.drain()
    assert touched(scheduler.client) == {UID}
    found = await facts(scheduler)
    (run,) = found.recent
    outcome = found.record.outcome
    state = RunState.DEAD_LETTERED if fails else RunState.SUCCEEDED
    assert (run.message_id, run.state, run.due_at) == (message["message_id"], state, T + 60)
    assert run.finished_at is not None
    assert (outcome.last_run_id, outcome.last_run_outcome, outcome.ended) == (message["message_id"], state, 1)
    assert outcome.last_run_error == ("ValueError: no such thing" if fails else "")
    assert outcome.failures == int(fails)


async def test_a_lost_run_touches_its_schedule(scheduler: Scheduler, redis_url: str) -> None:
    """A run that is declared lost is told of like one that ended."""
    await scheduler.load(schedule())
    await scheduler.pass_time(60)
    (body,) = messages(scheduler.client)
    message: Message[Any] = Message(**{**body, "args": (), "kwargs": {}})
    writer = RecordWriter(scheduler.client, time.monotonic, 86_400)
    writer.record_start(attempt_started(Attempt(MessageProxy(message), attempt_id(message), T, 0.0, 300.0), "w-dead"))
    writer.flush()
    scheduler.client.delete("dramatiq:q", "dramatiq:q.msgs")
    touched(scheduler.client)
    fleet = Fleet(redis_url)
    assert fleet.monitor.declare_lost(T + 3_600) == 1
    assert touched(scheduler.client) == {UID}
    assert (await facts(scheduler)).record.outcome.last_run_outcome == RunState.LOST


async def test_a_deleted_schedule_is_nobodys_to_look_at(scheduler: Scheduler) -> None:
    """Where nobody writes status, the set holds no more than there are schedules: a deletion takes its uid out."""
    await scheduler.load(schedule())
    await scheduler.pass_time(600)
    await scheduler.registry.unregister([UID])
    assert touched(scheduler.client) == set()
    assert await read_facts(scheduler.connection, {UID: ""}) == {}
    assert await read_records(scheduler.connection, [UID]) == {}


async def test_a_record_that_has_expired_is_left_out(scheduler: Scheduler) -> None:
    """A run whose record is gone is not among the recent ones; those that are keep their order, newest first."""
    await scheduler.load(schedule(concurrencyPolicy="Allow"))
    for _ in range(3):
        await scheduler.pass_time(60)
    newest, middle, oldest = (await facts(scheduler)).recent
    assert [run.due_at for run in (newest, middle, oldest)] == [T + 180, T + 120, T + 60]
    scheduler.client.delete(keys.run(middle.message_id))
    assert [run.due_at for run in (await facts(scheduler)).recent] == [T + 180, T + 60]


async def test_many_are_read_in_two_round_trips(scheduler: Scheduler) -> None:
    """However many schedules and runs, Redis is asked twice, and each schedule gets what is its own."""
    many = [schedule(f"s{n}", f"{n:08}-8a63-5a0e-9b0a-1f0e6b7d2c11", concurrencyPolicy="Allow") for n in range(30)]
    await scheduler.load(*many)
    for _ in range(3):
        await scheduler.pass_time(60)
    await scheduler.outcomes(ScheduledRun(many[7], "due", T + 240))
    sends = scheduler.client.info("stats")["total_reads_processed"]
    found = await read_facts(scheduler.connection, {each.uid: "" for each in many})
    # the figure itself is asked for once; a large request arrives in some pieces
    assert scheduler.client.info("stats")["total_reads_processed"] - sends < 10
    assert [found[each.uid].record.runs for each in many] == [4 if n == 7 else 3 for n in range(30)]
    assert {len(each.recent) for each in found.values()} == {3, 4}
    records = await read_records(scheduler.connection, [each.uid for each in many])
    assert records == {uid: each.record for uid, each in found.items()}


async def test_what_settles_grows_with_what_is_over(scheduler: Scheduler) -> None:
    """`settled` tells an end, a skip or a miss from a mere enqueue."""
    await scheduler.load(schedule())

    async def settled() -> int:
        return (await facts(scheduler)).record.settled

    assert await settled() == Record().settled == 0
    await scheduler.pass_time(60)
    assert await settled() == 0
    await scheduler.pass_time(60)
    assert await settled() == 1
