"""The Lua of the enqueue: fences, overlap policies, backpressure, on a real Redis."""

import time

import dramatiq
import pytest
import redis
from dramatiq.brokers.redis import RedisBroker

from financehub_scheduler.redis.enqueuer import ScheduledRun
from financehub_shared.core.clock import ManualClock
from financehub_shared.monitor import RunRecord
from financehub_shared.redis import keys
from support.hand_driven import Scheduler, T, build
from support.schedules import UID, messages, schedule

MINUTE = 60.0


async def test_a_message_is_what_dramatiq_expects(scheduler: Scheduler, redis_url: str) -> None:
    """A stock dramatiq worker takes an enqueued run and acks it, and nothing of it is left."""
    seen: list[tuple[object, ...]] = []
    broker = RedisBroker(url=redis_url, middleware=[])
    actor = dramatiq.actor(
        lambda *args, **kwargs: seen.append((args, kwargs)), actor_name="demo_task", queue_name="q", broker=broker
    )
    demo = schedule(args=[1, "a"], kwargs={"x": None})
    await scheduler.load(demo)
    assert await scheduler.outcomes(ScheduledRun(demo, "due", T + MINUTE)) == ["enqueued"]
    worker = dramatiq.Worker(broker, worker_threads=1, worker_timeout=20)
    worker.start()
    broker.join(actor.queue_name, timeout=5_000, interval=20)
    worker.stop()
    assert seen == [((1, "a"), {"x": None})]
    assert scheduler.client.hlen("dramatiq:q.msgs") == 0


async def test_the_record_of_a_run(scheduler: Scheduler) -> None:
    """An enqueued run has a record that the monitor can read, it expires, and the schedule knows it as its newest."""
    demo = schedule()
    await scheduler.load(demo)
    run = ScheduledRun(demo, "due", T + MINUTE)
    await scheduler.outcomes(run)
    fields = {k.decode(): v.decode() for k, v in scheduler.client.hgetall(keys.run(run.message_id)).items()}
    record = RunRecord.from_fields(run.message_id, fields)
    assert (record.state, record.task, record.queue) == ("queued", "demo_task", "q")
    assert (record.schedule, record.schedule_uid) == ("default/demo", UID)
    assert (record.due_at, record.enqueued_at) == (T + MINUTE, T + 0.5)
    assert 0 < scheduler.client.ttl(keys.run(run.message_id)) <= 3_600
    assert scheduler.field(UID, "last_message_id") == run.message_id
    assert scheduler.client.lrange(keys.schedule_recent(UID), 0, -1) == [run.message_id.encode()]


async def test_the_newest_ten_runs_are_kept(scheduler: Scheduler) -> None:
    """Of many runs a schedule remembers the newest ten, newest first."""
    demo = schedule(concurrencyPolicy="Allow")
    await scheduler.load(demo)
    runs = [ScheduledRun(demo, "due", T + MINUTE * number) for number in range(1, 16)]
    assert await scheduler.outcomes(*runs) == ["enqueued"] * 15
    recent = [entry.decode() for entry in scheduler.client.lrange(keys.schedule_recent(UID), 0, -1)]
    assert recent == [run.message_id for run in reversed(runs[5:])]


@pytest.mark.parametrize("earlier", [0.0, -MINUTE])
async def test_a_due_time_at_or_below_the_mark_is_not_enqueued_again(scheduler: Scheduler, earlier: float) -> None:
    """What was enqueued, and whatever was due before it, is never enqueued again, in one batch or in two."""
    demo = schedule(concurrencyPolicy="Allow")
    await scheduler.load(demo)
    run, again = ScheduledRun(demo, "due", T + 2 * MINUTE), ScheduledRun(demo, "due", T + 2 * MINUTE + earlier)
    assert await scheduler.outcomes(run, again) == ["enqueued", "already"]
    assert await scheduler.outcomes(again) == ["already"]
    assert scheduler.due() == [2 * MINUTE]


@pytest.mark.parametrize(("ahead", "verdict"), [(30, "enqueued"), (90, "ahead")])
async def test_a_due_time_far_ahead_of_redis_is_not_believed(
    redis_url: str, redis_client: "redis.Redis", ahead: float, verdict: str
) -> None:
    """A run whose due time is beyond the limit ahead of Redis's own clock is not enqueued, and moves no mark."""
    driver = build(redis_url, ManualClock(time.time()), redis_client, ahead_limit=60)
    demo = schedule()
    await driver.load(demo)
    before = redis_client.hget(keys.HIGH_WATER_MARKS, UID)
    (answer,) = await driver.outcomes(ScheduledRun(demo, "due", time.time() + ahead))
    await driver.connection.aclose()
    assert answer.partition(":")[0] == verdict
    assert len(messages(redis_client)) == (verdict == "enqueued")
    assert (redis_client.hget(keys.HIGH_WATER_MARKS, UID) == before) == (verdict == "ahead")


async def test_the_mark_moves_when_a_run_is_skipped(scheduler: Scheduler) -> None:
    """A skipped run is over: its due time does not come back when there is room again."""
    demo = schedule(maxQueueDepth=0)
    await scheduler.load(demo)
    scheduler.client.hset("dramatiq:q.msgs", "other", "{}")
    run = ScheduledRun(demo, "due", T + MINUTE)
    assert await scheduler.outcomes(run) == ["backlog"]
    scheduler.client.delete("dramatiq:q.msgs")
    assert await scheduler.outcomes(run) == ["already"]


@pytest.mark.parametrize(
    ("policy", "state", "verdict", "left"),
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
async def test_overlap(scheduler: Scheduler, policy: str, state: str, verdict: str, left: list[float]) -> None:
    """While the last run is queued, running or waits for a retry the policy decides; one that is over hinders none."""
    demo = schedule(concurrencyPolicy=policy)
    await scheduler.load(demo)
    last = ScheduledRun(demo, "due", T + 60)
    await scheduler.outcomes(last)
    scheduler.client.hset(keys.run(last.message_id), "state", state)
    if state != "queued":
        # a worker has fetched it: off the list, and in the hash until it is acked
        scheduler.client.lrem("dramatiq:q", 0, last.message_id)
    assert await scheduler.outcomes(ScheduledRun(demo, "due", T + 120)) == [verdict]
    listed = {60.0} if state != "queued" and 60 in left else set()
    assert sorted({*scheduler.due(), *listed}) == left
    assert scheduler.field(UID, "skipped_overlap") == ("1" if verdict == "overlap" else None)


async def test_a_replaced_run_is_told_so(scheduler: Scheduler) -> None:
    """A run replaced before a worker took it is recorded as skipped, with the reason, and its message is gone."""
    demo = schedule(concurrencyPolicy="Replace")
    await scheduler.load(demo)
    first, second = ScheduledRun(demo, "due", T + 60), ScheduledRun(demo, "due", T + 120)
    assert await scheduler.outcomes(first, second) == ["enqueued", "enqueued"]
    assert scheduler.due() == [120]
    assert scheduler.client.hkeys("dramatiq:q.msgs") == [second.message_id.encode()]
    assert scheduler.client.hmget(keys.run(first.message_id), "state", "error") == [
        b"skipped",
        b"replaced by the next run",
    ]


@pytest.mark.parametrize("state", ["queued", "running"])
async def test_a_run_whose_message_is_gone_blocks_nobody(scheduler: Scheduler, state: str) -> None:
    """A record that says queued or running does not count once no queue holds its message (purged, flushed)."""
    demo = schedule()
    await scheduler.load(demo)
    last = ScheduledRun(demo, "due", T + 60)
    await scheduler.outcomes(last)
    scheduler.client.hset(keys.run(last.message_id), "state", state)
    scheduler.client.delete("dramatiq:q", "dramatiq:q.msgs")
    assert await scheduler.outcomes(ScheduledRun(demo, "due", T + 120)) == ["enqueued"]


async def test_the_queue_is_asked_where_nothing_is_recorded(scheduler: Scheduler) -> None:
    """A run without a record (a plain worker, a scheduler that died) is not over while its queue holds the message."""
    demo = schedule()
    await scheduler.load(demo)
    last = ScheduledRun(demo, "due", T + 60)
    await scheduler.outcomes(last)
    scheduler.client.delete(keys.run(last.message_id), "dramatiq:q")
    assert await scheduler.outcomes(ScheduledRun(demo, "due", T + 120)) == ["overlap"]
    scheduler.client.delete("dramatiq:q.msgs")
    assert await scheduler.outcomes(ScheduledRun(demo, "due", T + 180)) == ["enqueued"]


async def test_a_worker_that_was_quicker_is_not_overwritten(scheduler: Scheduler) -> None:
    """A run that has begun, or ended, before its record is written keeps the state that its worker gave it."""
    demo = schedule()
    await scheduler.load(demo)
    run = ScheduledRun(demo, "due", T + 60)
    scheduler.client.hset(keys.run(run.message_id), "state", "succeeded")
    await scheduler.outcomes(run)
    assert scheduler.client.hgetall(keys.run(run.message_id)) == {b"state": b"succeeded"}


async def test_a_retry_is_followed_by_its_new_message(scheduler: Scheduler) -> None:
    """A running retry, whose message has another Redis id than the first try's, still counts as running."""
    demo = schedule()
    await scheduler.load(demo)
    last = ScheduledRun(demo, "due", T + 60)
    await scheduler.outcomes(last)
    scheduler.client.delete("dramatiq:q", "dramatiq:q.msgs")
    scheduler.client.hset("dramatiq:q.msgs", "second-delivery", "{}")
    scheduler.client.hset(keys.run(last.message_id), mapping={"state": "running", "redis_id": "second-delivery"})
    assert await scheduler.outcomes(ScheduledRun(demo, "due", T + 120)) == ["overlap"]


async def test_a_retry_nobody_finishes_blocks_for_two_days_at_most(scheduler: Scheduler) -> None:
    """A record stuck in 'retrying' hinders its schedule for two days, not for ever."""
    demo = schedule()
    await scheduler.load(demo)
    last = ScheduledRun(demo, "due", T + 60)
    await scheduler.outcomes(last)
    scheduler.client.hset(keys.run(last.message_id), "state", "retrying")
    scheduler.clock.advance(2 * 86_400 - 60)
    assert await scheduler.outcomes(ScheduledRun(demo, "due", T + 120)) == ["overlap"]
    scheduler.clock.advance(60)
    assert await scheduler.outcomes(ScheduledRun(demo, "due", T + 180)) == ["enqueued"]


async def test_at_most_one_run_waits(scheduler: Scheduler) -> None:
    """With BufferOne one run waits for the running one, further ones are skipped, and the waiting one goes first."""
    demo = schedule(concurrencyPolicy="BufferOne")
    await scheduler.load(demo)
    runs = [ScheduledRun(demo, "due", T + 60 * number) for number in range(1, 5)]
    assert await scheduler.outcomes(*runs[:3]) == ["enqueued", "buffered", "overlap"]
    waiting = ScheduledRun(demo, "buffered", T + 120)
    assert await scheduler.outcomes(waiting) == ["wait"]
    scheduler.end_run(runs[0].message_id)
    assert await scheduler.outcomes(runs[3]) == ["overlap"]
    assert await scheduler.outcomes(waiting, waiting) == ["enqueued", "already"]
    assert scheduler.due() == [120]


@pytest.mark.parametrize(("depth", "held", "verdict"), [(2, 2, "enqueued"), (2, 3, "backlog"), (0, 1, "backlog")])
async def test_backpressure(scheduler: Scheduler, depth: int, held: int, verdict: str) -> None:
    """While the queue holds more messages than allowed, waiting or in flight, a run is skipped and counted."""
    demo = schedule(maxQueueDepth=depth)
    await scheduler.load(demo)
    for number in range(held):
        scheduler.client.hset("dramatiq:q.msgs", f"other-{number}", "{}")
    assert await scheduler.outcomes(ScheduledRun(demo, "due", T + 60)) == [verdict]
    assert scheduler.field(UID, "skipped_backlog") == ("1" if verdict == "backlog" else None)


async def test_backpressure_counts_its_own_batch(scheduler: Scheduler) -> None:
    """Runs of one batch see each other: no more go than the queue may hold."""
    demo = schedule(maxQueueDepth=1, concurrencyPolicy="Allow")
    await scheduler.load(demo)
    runs = [ScheduledRun(demo, "due", T + 60 * number) for number in range(1, 5)]
    assert await scheduler.outcomes(*runs) == ["enqueued", "enqueued", "backlog", "backlog"]


async def test_max_runs(scheduler: Scheduler) -> None:
    """After `maxRuns` scheduled runs the schedule is exhausted; what is triggered by hand does not count."""
    demo = schedule(maxRuns=2, concurrencyPolicy="Allow")
    await scheduler.load(demo)
    assert await scheduler.outcomes(ScheduledRun(demo, "annotation", T, fence="x")) == ["enqueued"]
    runs = [ScheduledRun(demo, "due", T + 60 * number) for number in range(1, 4)]
    assert await scheduler.outcomes(*runs) == ["enqueued", "enqueued", "exhausted"]
    assert await scheduler.outcomes(runs[2]) == ["exhausted"]


async def test_missed_runs_are_counted_once(scheduler: Scheduler) -> None:
    """Of two schedulers that plan the same catch-up the second finds its plan void, and counts nothing."""
    demo = schedule(concurrencyPolicy="Allow")
    await scheduler.load(demo)
    first = ScheduledRun(demo, "due", T + 300, missed=4, expected=T + 0.5)
    late = [ScheduledRun(demo, "due", T + 360, missed=5, expected=T + 0.5), ScheduledRun(demo, "due", T + 420)]
    assert await scheduler.outcomes(first) == ["enqueued"]
    assert await scheduler.outcomes(*late) == [f"moved:{int(T + 300) * 1000}"] * 2
    assert scheduler.field(UID, "missed") == "4"
    assert scheduler.due() == [300]


async def test_giving_up_moves_the_mark_alone(scheduler: Scheduler) -> None:
    """Due times that are given up are counted, enqueue nothing, and do not come back."""
    demo = schedule()
    await scheduler.load(demo)
    given_up = ScheduledRun(demo, "due", T + 300, missed=5, expected=T + 0.5, fire=False)
    assert await scheduler.outcomes(given_up) == ["missed"]
    assert await scheduler.outcomes(ScheduledRun(demo, "due", T + 300)) == ["already"]
    assert messages(scheduler.client) == []
    assert scheduler.field(UID, "missed") == "5"


async def test_an_outdated_schedule_enqueues_nothing(scheduler: Scheduler) -> None:
    """A scheduler that still holds an older spec, or a schedule that is deleted or unknown, is told so."""
    old, new = schedule(), schedule(schedule="@daily")
    assert await scheduler.outcomes(ScheduledRun(old, "due", T + 60)) == ["unknown"]
    await scheduler.load(new)
    assert await scheduler.outcomes(ScheduledRun(old, "due", T + 60)) == ["changed"]
    await scheduler.registry.unregister([UID])
    assert await scheduler.outcomes(ScheduledRun(old, "due", T + 60)) == ["deleted"]
    assert messages(scheduler.client) == []


async def test_a_batch_with_many_queues_and_schedules(scheduler: Scheduler) -> None:
    """A batch for several queues puts every message into its own, in order."""
    schedules = [
        schedule(f"s{number}", uid=f"00000000-0000-5000-8000-{number:012d}", queue=f"q{number % 3}")
        for number in range(300)
    ]
    await scheduler.load(*schedules)
    assert set(await scheduler.outcomes(*(ScheduledRun(each, "due", T + 60) for each in schedules))) == {"enqueued"}
    for number in range(3):
        names = [message["options"]["schedule"] for message in messages(scheduler.client, f"q{number}")]
        assert names == [each.name for each in schedules[number::3]]
