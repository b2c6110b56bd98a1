"""Tests of the enqueue script on a real Redis: fences, overlap policies and backpressure."""

import time
from typing import Any

import dramatiq
import pytest
import redis
from dramatiq import Message, MessageProxy
from dramatiq.brokers.redis import RedisBroker

from financehub_scheduler.redis.enqueuer import RunSubmission
from financehub_scheduler.redis.registry import Removal
from financehub_shared.broker.message import attempt_id
from financehub_shared.core.clock import ManualClock
from financehub_shared.monitor import RunRecord
from financehub_shared.monitor.attempt import Attempt
from financehub_shared.monitor.record_writer import RecordWriter
from financehub_shared.monitor.run_events import attempt_started
from financehub_shared.redis import keys
from support.hand_driven import Scheduler, T, build
from support.schedules import UID, messages, schedule

MINUTE = 60.0


async def test_submit_of_a_run_enqueues_a_message_for_stock_dramatiq(scheduler: Scheduler, redis_url: str) -> None:
    """A stock dramatiq worker receives and acks an enqueued run, and no trace of its message is left."""
    calls: list[tuple[object, ...]] = []
    broker = RedisBroker(url=redis_url, middleware=[])
    actor = dramatiq.actor(
        lambda *args, **kwargs: calls.append((args, kwargs)), actor_name="demo_task", queue_name="q", broker=broker
    )
    demo = schedule(args=[1, "a"], kwargs={"x": None})
    await scheduler.load(demo)
    assert await scheduler.outcomes(RunSubmission(demo, "due", T + MINUTE)) == ["enqueued"]
    worker = dramatiq.Worker(broker, worker_threads=1, worker_timeout=20)
    worker.start()
    broker.join(actor.queue_name, timeout=60_000, interval=20)
    worker.stop()
    assert calls == [((1, "a"), {"x": None})]
    assert scheduler.client.hlen("dramatiq:q.msgs") == 0


async def test_record_enqueued_runs_writes_a_record_that_the_monitor_reads(scheduler: Scheduler) -> None:
    """An enqueued run has a record that expires, and the schedule lists it as its newest run."""
    demo = schedule()
    await scheduler.load(demo)
    run = RunSubmission(demo, "due", T + MINUTE)
    await scheduler.outcomes(run)
    fields = {k.decode(): v.decode() for k, v in scheduler.client.hgetall(keys.run(run.message_id)).items()}
    record = RunRecord.from_fields(run.message_id, fields)
    assert (record.state, record.task, record.queue) == ("queued", "demo_task", "q")
    assert (record.schedule, record.schedule_uid) == ("default/demo", UID)
    assert (record.due_at, record.enqueued_at) == (T + MINUTE, T + 0.5)
    assert 0 < scheduler.client.ttl(keys.run(run.message_id)) <= 3_600
    assert scheduler.field(UID, "last_message_id") == run.message_id
    assert scheduler.client.lrange(keys.schedule_recent(UID), 0, -1) == [run.message_id.encode()]


async def test_record_enqueued_runs_keeps_the_newest_ten_runs(scheduler: Scheduler) -> None:
    """A schedule lists its newest ten runs, newest first."""
    demo = schedule(concurrencyPolicy="Allow")
    await scheduler.load(demo)
    runs = [RunSubmission(demo, "due", T + MINUTE * number) for number in range(1, 16)]
    assert await scheduler.outcomes(*runs) == ["enqueued"] * 15
    recent = [entry.decode() for entry in scheduler.client.lrange(keys.schedule_recent(UID), 0, -1)]
    assert recent == [run.message_id for run in reversed(runs[5:])]


async def test_record_enqueued_runs_with_recorded_runs_changes_nothing(scheduler: Scheduler) -> None:
    """Runs that are recorded again, because Redis's reply was lost, are listed once."""
    demo = schedule(concurrencyPolicy="Allow")
    await scheduler.load(demo)
    runs = [RunSubmission(demo, "due", T + MINUTE * number) for number in (1, 2, 3)]
    assert await scheduler.outcomes(*runs) == ["enqueued"] * 3
    await scheduler.enqueuer.record_enqueued_runs([(run, T) for run in runs[:2]])
    recent = [entry.decode() for entry in scheduler.client.lrange(keys.schedule_recent(UID), 0, -1)]
    assert recent == [run.message_id for run in reversed(runs)]


@pytest.mark.parametrize("earlier", [0.0, -MINUTE])
async def test_submit_at_or_below_the_high_water_mark_is_already_settled(scheduler: Scheduler, earlier: float) -> None:
    """A due time that was enqueued, and those before it, are never enqueued again, in one batch or in two."""
    demo = schedule(concurrencyPolicy="Allow")
    await scheduler.load(demo)
    run, again = RunSubmission(demo, "due", T + 2 * MINUTE), RunSubmission(demo, "due", T + 2 * MINUTE + earlier)
    assert await scheduler.outcomes(run, again) == ["enqueued", "already"]
    assert await scheduler.outcomes(again) == ["already"]
    assert scheduler.due() == [2 * MINUTE]


@pytest.mark.parametrize(("ahead", "outcome"), [(30, "enqueued"), (90, "ahead")])
async def test_submit_with_due_time_far_ahead_of_redis_is_rejected(
    redis_url: str, redis_client: "redis.Redis", ahead: float, outcome: str
) -> None:
    """A due time beyond the limit ahead of Redis's own clock is not enqueued and moves no mark."""
    driver = build(redis_url, ManualClock(time.time()), redis_client, ahead_limit=60)
    demo = schedule()
    await driver.load(demo)
    before = redis_client.hget(keys.HIGH_WATER_MARKS, UID)
    (found,) = await driver.outcomes(RunSubmission(demo, "due", time.time() + ahead))
    await driver.connection.aclose()
    assert found == outcome
    assert len(messages(redis_client)) == (outcome == "enqueued")
    assert (redis_client.hget(keys.HIGH_WATER_MARKS, UID) == before) == (outcome == "ahead")


async def test_submit_of_a_skipped_run_moves_the_mark(scheduler: Scheduler) -> None:
    """The due time of a skipped run does not come back when the queue is below its limit again."""
    demo = schedule(maxQueueDepth=0)
    await scheduler.load(demo)
    scheduler.client.hset("dramatiq:q.msgs", "other", "{}")
    run = RunSubmission(demo, "due", T + MINUTE)
    assert await scheduler.outcomes(run) == ["backlog"]
    scheduler.client.delete("dramatiq:q.msgs")
    assert await scheduler.outcomes(run) == ["already"]


@pytest.mark.parametrize(
    ("policy", "state", "outcome", "left"),
    [
        ("Allow", "queued", "enqueued", [60, 120]),
        ("Allow", "running", "enqueued", [60, 120]),
        ("Forbid", "queued", "overlap", [60]),
        ("Forbid", "running", "overlap", [60]),
        ("Forbid", "retrying", "overlap", [60]),
        ("Forbid", "succeeded", "enqueued", [60, 120]),
        ("Forbid", "skipped", "enqueued", [60, 120]),
        ("Forbid", "dead-lettered", "enqueued", [60, 120]),
        ("Forbid", "lost", "enqueued", [60, 120]),
        ("Replace", "queued", "enqueued", [120]),
        ("Replace", "running", "enqueued", [60, 120]),
        ("BufferOne", "running", "buffered", [60]),
        ("BufferOne", "succeeded", "enqueued", [60, 120]),
    ],
)
async def test_submit_with_active_previous_run_follows_the_policy(
    scheduler: Scheduler, policy: str, state: str, outcome: str, left: list[float]
) -> None:
    """While the previous run is active, the policy decides. A finished run does not affect the next one."""
    demo = schedule(concurrencyPolicy=policy)
    await scheduler.load(demo)
    last = RunSubmission(demo, "due", T + 60)
    await scheduler.outcomes(last)
    scheduler.client.hset(keys.run(last.message_id), "state", state)
    if state != "queued":
        # A worker has fetched it, so it is only in the hash until it is acked.
        scheduler.client.lrem("dramatiq:q", 0, last.message_id)
    assert await scheduler.outcomes(RunSubmission(demo, "due", T + 120)) == [outcome]
    listed = {60.0} if state != "queued" and 60 in left else set()
    assert sorted({*scheduler.due(), *listed}) == left
    assert scheduler.field(UID, "skipped_overlap") == ("1" if outcome == "overlap" else None)


async def test_submit_under_replace_records_the_old_run_as_skipped(scheduler: Scheduler) -> None:
    """A replaced run is recorded as skipped with the reason, and its message is gone."""
    demo = schedule(concurrencyPolicy="Replace")
    await scheduler.load(demo)
    first, second = RunSubmission(demo, "due", T + 60), RunSubmission(demo, "due", T + 120)
    assert await scheduler.outcomes(first, second) == ["enqueued", "enqueued"]
    assert scheduler.due() == [120]
    assert scheduler.client.hkeys("dramatiq:q.msgs") == [second.message_id.encode()]
    assert scheduler.client.hmget(keys.run(first.message_id), "state", "error") == [
        b"skipped",
        b"replaced by the next run",
    ]


@pytest.mark.parametrize("state", ["queued", "running"])
async def test_submit_after_the_previous_message_is_gone_enqueues(scheduler: Scheduler, state: str) -> None:
    """A record of a queued or running run does not count if no queue has its message, as after a purge."""
    demo = schedule()
    await scheduler.load(demo)
    last = RunSubmission(demo, "due", T + 60)
    await scheduler.outcomes(last)
    scheduler.client.hset(keys.run(last.message_id), "state", state)
    scheduler.client.delete("dramatiq:q", "dramatiq:q.msgs")
    assert await scheduler.outcomes(RunSubmission(demo, "due", T + 120)) == ["enqueued"]


async def test_submit_without_record_of_the_previous_run_checks_the_queue(scheduler: Scheduler) -> None:
    """A run without a record counts as active while its queue has the message."""
    demo = schedule()
    await scheduler.load(demo)
    last = RunSubmission(demo, "due", T + 60)
    await scheduler.outcomes(last)
    scheduler.client.delete(keys.run(last.message_id), "dramatiq:q")
    assert await scheduler.outcomes(RunSubmission(demo, "due", T + 120)) == ["overlap"]
    scheduler.client.delete("dramatiq:q.msgs")
    assert await scheduler.outcomes(RunSubmission(demo, "due", T + 180)) == ["enqueued"]


async def test_record_enqueued_runs_keeps_a_record_of_the_worker(scheduler: Scheduler) -> None:
    """A run that starts or ends before its record is written keeps the state that its worker recorded."""
    demo = schedule()
    await scheduler.load(demo)
    run = RunSubmission(demo, "due", T + 60)
    scheduler.client.hset(keys.run(run.message_id), "state", "succeeded")
    await scheduler.outcomes(run)
    assert scheduler.client.hgetall(keys.run(run.message_id)) == {b"state": b"succeeded"}


async def test_submit_during_a_running_retry_is_an_overlap(scheduler: Scheduler) -> None:
    """A running retry counts as active, although its message has a different Redis id than the first attempt."""
    demo = schedule()
    await scheduler.load(demo)
    await scheduler.outcomes(RunSubmission(demo, "due", T + 60))
    (body,) = messages(scheduler.client)
    first: Message[Any] = Message(**{**body, "args": (), "kwargs": {}})
    retry = first.copy(options={"redis_message_id": "second-attempt"})
    scheduler.client.delete("dramatiq:q", "dramatiq:q.msgs")
    scheduler.client.hset("dramatiq:q.msgs", "second-attempt", retry.encode())
    # The monitor records the attempt as in a worker, so that the test covers the field names of both sides.
    writer = RecordWriter(scheduler.client, time.monotonic, 86_400)
    writer.record_start(attempt_started(Attempt(MessageProxy(retry), attempt_id(retry), T, 0.0, 300.0), "a-worker"))
    writer.flush()
    assert await scheduler.outcomes(RunSubmission(demo, "due", T + 120)) == ["overlap"]


async def test_submit_two_days_after_an_unfinished_retry_enqueues(scheduler: Scheduler) -> None:
    """A record that stays in `retrying` blocks its schedule for at most two days."""
    demo = schedule()
    await scheduler.load(demo)
    last = RunSubmission(demo, "due", T + 60)
    await scheduler.outcomes(last)
    scheduler.client.hset(keys.run(last.message_id), "state", "retrying")
    scheduler.clock.advance(2 * 86_400 - 60)
    assert await scheduler.outcomes(RunSubmission(demo, "due", T + 120)) == ["overlap"]
    scheduler.clock.advance(60)
    assert await scheduler.outcomes(RunSubmission(demo, "due", T + 180)) == ["enqueued"]


async def test_submit_under_buffer_one_buffers_one_run(scheduler: Scheduler) -> None:
    """One run waits for the active run, additional runs are skipped, and the buffered run goes first."""
    demo = schedule(concurrencyPolicy="BufferOne")
    await scheduler.load(demo)
    runs = [RunSubmission(demo, "due", T + 60 * number) for number in range(1, 5)]
    assert await scheduler.outcomes(*runs[:3]) == ["enqueued", "buffered", "overlap"]
    waiting = RunSubmission(demo, "buffered", T + 120)
    assert await scheduler.outcomes(waiting) == ["wait"]
    scheduler.end_run(runs[0].message_id)
    assert await scheduler.outcomes(runs[3]) == ["overlap"]
    assert await scheduler.outcomes(waiting, waiting) == ["enqueued", "already"]
    assert scheduler.due() == [120]


@pytest.mark.parametrize(("depth", "held", "outcome"), [(2, 2, "enqueued"), (2, 3, "backlog"), (0, 1, "backlog")])
async def test_submit_with_full_queue_skips_the_run(scheduler: Scheduler, depth: int, held: int, outcome: str) -> None:
    """While the queue has more waiting and in-flight messages than allowed, a run is skipped and counted."""
    demo = schedule(maxQueueDepth=depth)
    await scheduler.load(demo)
    for number in range(held):
        scheduler.client.hset("dramatiq:q.msgs", f"other-{number}", "{}")
    assert await scheduler.outcomes(RunSubmission(demo, "due", T + 60)) == [outcome]
    assert scheduler.field(UID, "skipped_backlog") == ("1" if outcome == "backlog" else None)


async def test_submit_of_a_batch_counts_its_own_messages(scheduler: Scheduler) -> None:
    """The runs of one batch count toward the limit of the queue."""
    demo = schedule(maxQueueDepth=1, concurrencyPolicy="Allow")
    await scheduler.load(demo)
    runs = [RunSubmission(demo, "due", T + 60 * number) for number in range(1, 5)]
    assert await scheduler.outcomes(*runs) == ["enqueued", "enqueued", "backlog", "backlog"]


async def test_submit_after_max_runs_is_exhausted(scheduler: Scheduler) -> None:
    """After `maxRuns` scheduled runs the schedule is exhausted. Triggered runs do not count."""
    demo = schedule(maxRuns=2, concurrencyPolicy="Allow")
    await scheduler.load(demo)
    assert await scheduler.outcomes(RunSubmission(demo, "annotation", T, fence="x")) == ["enqueued"]
    runs = [RunSubmission(demo, "due", T + 60 * number) for number in range(1, 4)]
    assert await scheduler.outcomes(*runs) == ["enqueued", "enqueued", "exhausted"]
    assert await scheduler.outcomes(RunSubmission(demo, "due", T + 240)) == ["exhausted"]


async def test_submit_with_skipped_runs_does_not_exhaust_max_runs(scheduler: Scheduler) -> None:
    """A run that is skipped does not count toward `maxRuns`, neither later nor for the other runs of its batch."""
    demo = schedule(maxRuns=2)
    await scheduler.load(demo)
    first, second, third = (RunSubmission(demo, "due", T + 60 * number) for number in range(1, 4))
    assert await scheduler.outcomes(first) == ["enqueued"]
    assert await scheduler.outcomes(second, third) == ["overlap", "overlap"]
    scheduler.end_run(first.message_id)
    assert await scheduler.outcomes(RunSubmission(demo, "due", T + 240)) == ["enqueued"]
    assert scheduler.field(UID, "runs") == "2"


async def test_submit_of_a_long_catch_up_of_many_schedules_enqueues_all(scheduler: Scheduler) -> None:
    """A batch may have a hundred runs for each of its schedules, which is more than one Lua call can take."""
    schedules = [
        schedule(f"s{number}", uid=f"00000000-0000-5000-8000-{number:012d}", concurrencyPolicy="Allow")
        for number in range(90)
    ]
    await scheduler.load(*schedules)
    runs = [RunSubmission(each, "due", T + 60 * number) for each in schedules for number in range(1, 101)]
    assert set(await scheduler.outcomes(*runs)) == {"enqueued"}
    assert scheduler.client.hlen("dramatiq:q.msgs") == 9_000
    assert {scheduler.field(each.uid, "runs") for each in schedules} == {"100"}


async def test_submit_of_a_void_plan_counts_no_misses(scheduler: Scheduler) -> None:
    """If two schedulers plan the same catch-up, the plan of the second is void and counts nothing."""
    demo = schedule(concurrencyPolicy="Allow")
    await scheduler.load(demo)
    first = RunSubmission(demo, "due", T + 300, missed=4, expected=T + 0.5)
    late = [RunSubmission(demo, "due", T + 360, missed=5, expected=T + 0.5), RunSubmission(demo, "due", T + 420)]
    assert await scheduler.outcomes(first) == ["enqueued"]
    assert [(result.outcome, result.time) for result in await scheduler.submit(*late)] == [("moved", T + 300)] * 2
    assert scheduler.field(UID, "missed") == "4"
    assert scheduler.due() == [300]


async def test_submit_of_missed_runs_only_moves_the_mark(scheduler: Scheduler) -> None:
    """Missed due times are counted, enqueue nothing and do not come back."""
    demo = schedule()
    await scheduler.load(demo)
    given_up = RunSubmission(demo, "due", T + 300, missed=5, expected=T + 0.5, with_message=False)
    assert await scheduler.outcomes(given_up) == ["missed"]
    assert await scheduler.outcomes(RunSubmission(demo, "due", T + 300)) == ["already"]
    assert messages(scheduler.client) == []
    assert scheduler.field(UID, "missed") == "5"


async def test_submit_of_an_outdated_schedule_enqueues_nothing(scheduler: Scheduler) -> None:
    """A run of an older spec, or of a deleted or unknown schedule, is rejected with the matching outcome."""
    old, new = schedule(), schedule(schedule="@daily")
    assert await scheduler.outcomes(RunSubmission(old, "due", T + 60)) == ["unknown"]
    await scheduler.load(new)
    assert await scheduler.outcomes(RunSubmission(old, "due", T + 60)) == ["changed"]
    await scheduler.registry.unregister({UID: Removal(scheduler.clock.now())})
    assert await scheduler.outcomes(RunSubmission(old, "due", T + 60)) == ["deleted"]
    assert messages(scheduler.client) == []


async def test_submit_of_a_batch_for_several_queues_keeps_the_order(scheduler: Scheduler) -> None:
    """A batch for several queues puts every message in the right queue, in order."""
    schedules = [
        schedule(f"s{number}", uid=f"00000000-0000-5000-8000-{number:012d}", queue=f"q{number % 3}")
        for number in range(300)
    ]
    await scheduler.load(*schedules)
    assert set(await scheduler.outcomes(*(RunSubmission(each, "due", T + 60) for each in schedules))) == {"enqueued"}
    for number in range(3):
        names = [message["options"]["schedule"] for message in messages(scheduler.client, f"q{number}")]
        assert names == [each.name for each in schedules[number::3]]
