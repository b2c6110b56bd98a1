"""Tests of schedule snapshots, which schedulers and a real worker write and which are read in few round trips."""

import time
from typing import Any

import pytest
import redis
from dramatiq import Message, MessageProxy

from financehub_scheduler.kubernetes.status.snapshot import ScheduleSnapshot, read_records, read_snapshots
from financehub_scheduler.redis.enqueuer import RunSubmission
from financehub_scheduler.redis.registry import Removal
from financehub_shared.broker.message import attempt_id
from financehub_shared.monitor import RunState
from financehub_shared.monitor.attempt import Attempt
from financehub_shared.monitor.record_writer import RecordWriter
from financehub_shared.monitor.run_events import attempt_started
from financehub_shared.redis import keys
from financehub_shared.redis.schedule_record import ScheduleRecord
from financehub_shared.spec.scheduled_task import BACKFILL, TRIGGER
from support.hand_driven import Scheduler, T
from support.observed import ObservedWorker
from support.schedules import UID, messages, schedule

BUSY = "6d1c1a64-8a63-5a0e-9b0a-1f0e6b7d2c12"


def take_changed(client: "redis.Redis") -> set[str]:
    """Take the uids of the changed schedules out of Redis, as the status writer does."""
    found: Any = client.spop(keys.SCHEDULES_CHANGED, 1_000)
    return {uid.decode() for uid in found}


async def snapshot(scheduler: Scheduler, uid: str = UID, backfill: str = "") -> ScheduleSnapshot:
    """Return the snapshot of one schedule."""
    return (await read_snapshots(scheduler.connection, {uid: backfill}))[uid]


async def test_changed_after_enqueue_or_skip_has_the_schedule(scheduler: Scheduler) -> None:
    """An enqueue or a skip marks only its own schedule as changed, once per change."""
    await scheduler.load(schedule(), schedule("rare", BUSY, schedule="@yearly"))
    assert take_changed(scheduler.client) == set()
    await scheduler.pass_time(60)
    assert take_changed(scheduler.client) == {UID}
    await scheduler.pass_time(60)
    assert take_changed(scheduler.client) == {UID}
    record = (await snapshot(scheduler)).record
    assert (record.runs, record.skipped, record.last_skip) == (1, {"overlap": 1}, ("overlap", T + 120.5))


async def test_changed_after_another_scheduler_enqueued_is_empty(scheduler: Scheduler, second: Scheduler) -> None:
    """A scheduler that finds a run already enqueued changes no record and marks no schedule."""
    for each in (scheduler, second):
        await each.load(schedule())
    await scheduler.pass_time(60)
    take_changed(scheduler.client)
    await second.step_until_idle()
    assert take_changed(scheduler.client) == set()


async def test_record_after_misses_keeps_the_last_due_time(scheduler: Scheduler) -> None:
    """Missed due times are counted and mark the schedule. The last due time remains that of the last run."""
    await scheduler.load(schedule(catchUp="None"))
    await scheduler.pass_time(60)
    take_changed(scheduler.client)
    await scheduler.pass_time(600 - 40)
    assert take_changed(scheduler.client) == {UID}
    record = (await snapshot(scheduler)).record
    assert (record.missed, record.runs, record.last_due_at) == (9, 1, T + 60)


@pytest.mark.parametrize("kind", ["annotation", "backfill"])
async def test_record_after_on_demand_runs_has_no_last_due_time(scheduler: Scheduler, kind: str) -> None:
    """Triggered and backfilled runs are counted separately and are not scheduled runs."""
    annotations = {TRIGGER: "now"} if kind == "annotation" else {BACKFILL: "2027-01-15T07:00:00Z/2027-01-15T07:01:00Z"}
    await scheduler.load(schedule(annotations=annotations, concurrencyPolicy="Allow"))
    await scheduler.on_demand.step()
    assert take_changed(scheduler.client) == {UID}
    record = (await snapshot(scheduler)).record
    assert record.last_due_at is None
    assert (record.runs, record.triggered, record.backfilled) == ((0, 1, 0) if kind == "annotation" else (0, 0, 2))


async def test_record_after_buffered_run_has_its_due_time(scheduler: Scheduler) -> None:
    """A buffered run is a scheduled run with its original due time."""
    await scheduler.load(schedule(concurrencyPolicy="BufferOne"))
    await scheduler.pass_time(60)
    await scheduler.pass_time(60)
    scheduler.end_run(scheduler.field(UID, "last_message_id") or "")
    await scheduler.on_demand.step()
    assert (await snapshot(scheduler)).record.last_due_at == T + 120


async def test_changed_after_each_step_of_a_backfill_has_the_schedule(scheduler: Scheduler) -> None:
    """A backfill marks its schedule when it is requested, when it advances and when it ends."""
    one = schedule(annotations={BACKFILL: "2027-01-15T07:00:00Z/2027-01-15T07:59:00Z"}, concurrencyPolicy="Allow")
    assert one.backfill
    await scheduler.load(one)
    states: list[tuple[str, int, bool]] = []
    for _ in range(4):
        await scheduler.on_demand.step()
        progress = (await snapshot(scheduler, backfill=one.backfill.id)).backfill
        assert progress
        states.append((progress.state, progress.enqueued, take_changed(scheduler.client) == {UID}))
    assert states == [("running", 50, True), ("running", 60, True), ("finished", 60, True), ("finished", 60, False)]


@pytest.mark.parametrize("fails", [False, True])
async def test_changed_after_end_of_a_run_has_the_schedule(scheduler: Scheduler, redis_url: str, fails: bool) -> None:
    """The outcome of a run is in the snapshot as soon as the schedule is marked as changed."""
    fleet = ObservedWorker(redis_url)

    def task() -> None:
        take_changed(fleet.client)
        if fails:
            raise ValueError("no such thing")

    fleet.actor(task, max_retries=0)
    await scheduler.load(schedule(task="task", queue="high"))
    await scheduler.pass_time(60)
    (message,) = messages(scheduler.client, "high")
    fleet.drain()
    assert take_changed(scheduler.client) == {UID}
    found = await snapshot(scheduler)
    (run,) = found.recent
    outcome = found.record.outcome
    state = RunState.DEAD_LETTERED if fails else RunState.SUCCEEDED
    assert (run.message_id, run.state, run.due_at) == (message["message_id"], state, T + 60)
    assert run.finished_at is not None
    assert (outcome.last_run_id, outcome.last_run_outcome, outcome.ended) == (message["message_id"], state, 1)
    assert outcome.last_run_error == ("ValueError: no such thing" if fails else "")
    assert outcome.failures == int(fails)


async def test_changed_after_a_lost_run_has_the_schedule(scheduler: Scheduler, redis_url: str) -> None:
    """A run that is declared lost marks its schedule, like a run that ended."""
    await scheduler.load(schedule())
    await scheduler.pass_time(60)
    (body,) = messages(scheduler.client)
    message: Message[Any] = Message(**{**body, "args": (), "kwargs": {}})
    writer = RecordWriter(scheduler.client, time.monotonic, 86_400)
    writer.record_start(attempt_started(Attempt(MessageProxy(message), attempt_id(message), T, 0.0, 300.0), "w-dead"))
    writer.flush()
    scheduler.client.delete("dramatiq:q", "dramatiq:q.msgs")
    take_changed(scheduler.client)
    fleet = ObservedWorker(redis_url)
    assert fleet.monitor.declare_lost(T + 3_600) == 1
    assert take_changed(scheduler.client) == {UID}
    assert (await snapshot(scheduler)).record.outcome.last_run_outcome == RunState.LOST


async def test_changed_after_deletion_is_empty(scheduler: Scheduler) -> None:
    """A deletion removes the uid from the set of changed schedules, so the set stays bounded without a reader."""
    await scheduler.load(schedule())
    await scheduler.pass_time(600)
    await scheduler.registry.unregister({UID: Removal(scheduler.clock.now())})
    assert take_changed(scheduler.client) == set()
    assert await read_snapshots(scheduler.connection, {UID: ""}) == {}
    assert await read_records(scheduler.connection, [UID]) == {}


async def test_snapshot_with_expired_run_record_omits_the_run(scheduler: Scheduler) -> None:
    """A run whose record has expired is not one of the recent runs, and the others keep their order."""
    await scheduler.load(schedule(concurrencyPolicy="Allow"))
    for _ in range(3):
        await scheduler.pass_time(60)
    newest, middle, oldest = (await snapshot(scheduler)).recent
    assert [run.due_at for run in (newest, middle, oldest)] == [T + 180, T + 120, T + 60]
    scheduler.client.delete(keys.run(middle.message_id))
    assert [run.due_at for run in (await snapshot(scheduler)).recent] == [T + 180, T + 60]


async def test_read_snapshots_of_many_schedules_takes_two_round_trips(scheduler: Scheduler) -> None:
    """Redis is read twice for any number of schedules and runs, and each schedule gets its own data."""
    many = [schedule(f"s{n}", f"{n:08}-8a63-5a0e-9b0a-1f0e6b7d2c11", concurrencyPolicy="Allow") for n in range(30)]
    await scheduler.load(*many)
    for _ in range(3):
        await scheduler.pass_time(60)
    await scheduler.outcomes(RunSubmission(many[7], "due", T + 240))
    sends = scheduler.client.info("stats")["total_reads_processed"]
    found = await read_snapshots(scheduler.connection, {each.uid: "" for each in many})
    # Reading the counter takes one request, and a large request arrives in several reads.
    assert scheduler.client.info("stats")["total_reads_processed"] - sends < 10
    assert [found[each.uid].record.runs for each in many] == [4 if n == 7 else 3 for n in range(30)]
    assert {len(each.recent) for each in found.values()} == {3, 4}
    records = await read_records(scheduler.connection, [each.uid for each in many])
    assert records == {uid: each.record for uid, each in found.items()}


async def test_progress_grows_with_ends_and_skips_only(scheduler: Scheduler) -> None:
    """`progress` grows when a run ends or a due time is skipped, but not with an enqueue."""
    await scheduler.load(schedule())

    async def progress() -> int:
        return (await snapshot(scheduler)).record.progress

    assert await progress() == ScheduleRecord().progress == 0
    await scheduler.pass_time(60)
    assert await progress() == 0
    await scheduler.pass_time(60)
    assert await progress() == 1


@pytest.mark.parametrize(("policy", "buffered"), [("BufferAll", 3), ("BufferOne", 1), ("Forbid", 0)])
async def test_snapshot_counts_waiting_runs_and_failures_in_a_row(
    scheduler: Scheduler, policy: str, buffered: int
) -> None:
    """A status shows how many runs wait and how many failed in a row, and a new waiting run marks the schedule."""
    await scheduler.load(schedule(concurrencyPolicy=policy))
    await scheduler.pass_time(60)
    take_changed(scheduler.client)
    for _ in range(3):
        await scheduler.pass_time(60)
        assert take_changed(scheduler.client) == {UID}
    scheduler.client.hset(keys.SCHEDULES_FAILING, UID, 4)
    found = await snapshot(scheduler)
    assert (found.buffered, found.failures_in_row) == (buffered, 4)
    scheduler.client.hset(keys.SCHEDULES_FAILING, UID, "x")
    scheduler.client.hdel(keys.SCHEDULES_BUFFERED, UID)
    found = await snapshot(scheduler)
    assert (found.buffered, found.failures_in_row) == (0, 0), "without a next run, none waits; a damaged count is 0"
