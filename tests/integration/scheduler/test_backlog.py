"""A schedule with `concurrencyPolicy: Allow` cannot fill Redis (F12)."""

from collections import Counter
from typing import Any

import pytest

from financehub_scheduler.api.schedule import Schedule
from financehub_scheduler.core.changes import Changes
from financehub_scheduler.redis.enqueuer import MAX_BACKLOG, MAX_BACKLOG_WITH_DEPTH, Enqueuer, RunSubmission
from financehub_shared.core.chunks import chunks
from financehub_shared.core.settings import Settings
from financehub_shared.redis import keys
from financehub_shared.redis.client import connect_async
from support.hand_driven import Scheduler, T
from support.schedules import UID, messages, schedule

OTHER = "7d1c1a64-8a63-5a0e-9b0a-1f0e6b7d2c11"


async def fill(scheduler: Scheduler, seconds: int, **spec: Any) -> None:
    """Run a schedule that is due each second while nobody serves its queue."""
    await scheduler.load(schedule(schedule="@every 1s", concurrencyPolicy="Allow", catchUp="All", **spec))
    for _ in range(0, seconds, 10):
        await scheduler.pass_time(10)


async def test_schedule_whose_queue_nobody_serves_stops_at_the_limit(scheduler: Scheduler):
    """The queue holds the oldest 100 runs. All other due times are skipped, counted and published."""
    await fill(scheduler, 250)
    assert scheduler.due() == [float(second) for second in range(1, MAX_BACKLOG + 1)]
    assert scheduler.client.llen(keys.schedule_backlog(UID)) == MAX_BACKLOG
    assert scheduler.field(UID, "runs") == str(MAX_BACKLOG)
    assert scheduler.field(UID, "skipped_backlog") == "150"
    assert scheduler.field(UID, "last_skip_reason") == "backlog"
    labels = {"scheduledtask": "default/demo", "reason": "backlog"}
    assert scheduler.metrics.registry.get_sample_value("financehub_schedule_skipped_total", labels) == 150


async def test_limit_ends_when_runs_leave_the_queue(scheduler: Scheduler):
    """For each run that ends, whichever it is, another one is enqueued."""
    await fill(scheduler, 100)
    ids = [message["message_id"] for message in messages(scheduler.client)]
    for ended in (ids[0], ids[50], ids[99]):
        scheduler.end_run(ended)
    await scheduler.pass_time(10)
    assert scheduler.due()[-3:] == [101.0, 102.0, 103.0]
    assert len(scheduler.due()) == MAX_BACKLOG
    assert scheduler.field(UID, "skipped_backlog") == "7"


async def test_limit_counts_each_schedule_alone(scheduler: Scheduler):
    """A schedule that fills its queue does not stop another one in the same queue."""
    await fill(scheduler, 150)
    await scheduler.load(schedule("other", OTHER, schedule="@every 1s", concurrencyPolicy="Allow"))
    await scheduler.pass_time(1)
    assert len(scheduler.due()) == MAX_BACKLOG + 1


async def test_trigger_beyond_the_limit_is_refused_with_the_reason(scheduler: Scheduler):
    """A flood of triggers is limited too, and the requester sees the reason in the run record."""
    await scheduler.load(template := schedule(concurrencyPolicy="Allow", suspend=True))
    runs = [RunSubmission(template, "annotation", T, fence=str(number)) for number in range(MAX_BACKLOG + 20)]
    outcomes = await scheduler.outcomes(*runs)
    assert outcomes == ["enqueued"] * MAX_BACKLOG + ["backlog"] * 20
    record = scheduler.client.hgetall(keys.run(runs[-1].message_id))
    assert (record[b"state"], record[b"error"]) == (b"skipped", b"backlog")


async def test_max_queue_depth_replaces_the_limit(scheduler: Scheduler):
    """A schedule that sets maxQueueDepth allows as many messages as it says, up to a limit of its own."""
    await fill(scheduler, 150, maxQueueDepth=120)
    assert len(scheduler.due()) == 121


async def test_max_queue_depth_does_not_turn_the_limit_off(scheduler: Scheduler):
    """Whatever a schedule says, it has at most a thousand unfinished runs."""
    await scheduler.load(template := schedule(concurrencyPolicy="Allow", maxQueueDepth=10_000_000))
    runs = [RunSubmission(template, "due", T + 60 * number) for number in range(1, MAX_BACKLOG_WITH_DEPTH + 50)]
    outcomes = [outcome for batch in chunks(runs, 200) for outcome in await scheduler.outcomes(*batch)]
    assert Counter(outcomes) == {"enqueued": MAX_BACKLOG_WITH_DEPTH, "backlog": 49}


@pytest.mark.parametrize("policy", ["Allow", "Replace"])
async def test_runs_that_wait_for_a_retry_count(scheduler: Scheduler, policy: str):
    """A schedule whose runs fail does not fill the delay queue. Each run that ends makes room for another one."""
    await scheduler.load(schedule(schedule="@every 1s", concurrencyPolicy=policy))
    failed: list[str] = []
    for _ in range(MAX_BACKLOG + 50):
        await scheduler.pass_time(1)
        for message in messages(scheduler.client):
            # the retry has a new message, in another queue
            scheduler.end_run(message["message_id"], "retrying")
            failed.append(message["message_id"])
    assert len(failed) == MAX_BACKLOG
    assert scheduler.field(UID, "skipped_backlog") == "50"
    scheduler.end_run(failed[7], "dead-lettered")
    await scheduler.pass_time(1)
    assert len(scheduler.due()) == 1


async def test_backfill_whose_runs_wait_for_a_retry_waits(scheduler: Scheduler):
    """A backfill of runs that fail does not fill the delay queue either."""
    await scheduler.load(template := schedule(concurrencyPolicy="Allow"))
    for number in range(1, 150):
        (outcome,) = await scheduler.outcomes(run := _backfill_run(scheduler, template, number))
        if outcome == "enqueued":
            scheduler.end_run(run.message_id, "retrying")
    assert (outcome, number, scheduler.field(UID, "backfilled")) == ("wait", 149, str(MAX_BACKLOG))


def _backfill_run(scheduler: Scheduler, template: Schedule, number: int) -> RunSubmission:
    scheduler.client.hsetnx(keys.backfill("id"), "cursor", "0")
    return RunSubmission(template, "backfill", T - 60_000 + 60 * number, fence="id")


async def test_records_of_skipped_runs_are_kept_for_an_hour(scheduler: Scheduler):
    """Runs that are replaced or refused have no message whose end would count them, so their records expire soon."""
    scheduler.enqueuer = Enqueuer(scheduler.connection, 7 * 86_400, 1e9)
    template = schedule(concurrencyPolicy="Replace", catchUp="All")
    await scheduler.load(template)
    # in one batch, so that a run is replaced before its record is written
    await scheduler.outcomes(*(RunSubmission(template, "due", T + 60 * number) for number in range(1, 21)))
    for number in range(20):
        await scheduler.outcomes(RunSubmission(template, "due", T + 6_000 + 60 * number))
        await scheduler.outcomes(RunSubmission(template, "annotation", T, fence=f"r{number}", refused="x"))
    records = [key for key in scheduler.client.keys(keys.run("*")) if scheduler.client.hget(key, "state") == b"skipped"]
    assert len(records) == 39 + 20
    assert all(0 < scheduler.client.ttl(key) <= 3_600 for key in records)


@pytest.mark.parametrize("policy", ["Forbid", "BufferOne"])
async def test_other_policies_have_no_list(scheduler: Scheduler, policy: str):
    """The other policies allow one unfinished run at a time, so nothing is counted."""
    await scheduler.load(schedule(schedule="@every 1s", concurrencyPolicy=policy))
    await scheduler.pass_time(20)
    assert len(scheduler.due()) <= 2
    assert not scheduler.client.exists(keys.schedule_backlog(UID))


async def test_limit_is_a_setting(scheduler: Scheduler, redis_url: str):
    """FINANCEHUB_MAX_BACKLOG changes the limit."""
    assert Settings().max_backlog == MAX_BACKLOG
    await scheduler.load(template := schedule(concurrencyPolicy="Allow"))
    connection = connect_async(redis_url, retries=1)
    scheduler.enqueuer = Enqueuer(connection, 3_600, 1e9, max_backlog=2)
    runs = [RunSubmission(template, "due", T + 60 * number) for number in range(1, 5)]
    assert await scheduler.outcomes(*runs) == ["enqueued", "enqueued", "backlog", "backlog"]
    await connection.aclose()


@pytest.mark.parametrize("limited", ["by the depth of the queue", "by its own runs"])
async def test_replace_at_the_limit_keeps_a_run(scheduler: Scheduler, limited: str):
    """A queued run is only replaced by a successor that is enqueued, and does not count against it."""
    depth = 3 if limited == "by the depth of the queue" else None
    template = schedule(concurrencyPolicy="Replace", maxQueueDepth=depth)
    await scheduler.load(template)
    scheduler.enqueuer = Enqueuer(scheduler.connection, 3_600, 1e9, max_backlog=100 if depth else 4)

    async def block(count: int) -> None:
        for number in range(count):
            if depth:
                scheduler.client.hset("dramatiq:q.msgs", f"{count}.{number}", "{}")  # of another schedule
            else:
                scheduler.client.rpush(keys.schedule_backlog(UID), f"{count}.{number}")
                scheduler.client.hset(keys.run(f"{count}.{number}"), mapping={"state": "retrying", "enqueued_at": T})

    await block(3)
    runs = [RunSubmission(template, "due", T + 60 * number) for number in range(1, 6)]
    # one at a time, and in one batch
    assert await scheduler.outcomes(runs[0]) == ["enqueued"]
    assert await scheduler.outcomes(*runs[1:4]) == ["enqueued"] * 3
    assert scheduler.due() == [240.0]
    await block(2)
    assert await scheduler.outcomes(runs[4]) == ["backlog"]
    assert scheduler.due() == [240.0], "the queued run is kept, because it has no successor"


async def test_run_that_a_worker_has_fetched_counts_for_its_successor(scheduler: Scheduler):
    """A fetched run cannot be replaced, so it takes its place among the unfinished runs."""
    await scheduler.load(template := schedule(concurrencyPolicy="Replace"))
    scheduler.enqueuer = Enqueuer(scheduler.connection, 3_600, 1e9, max_backlog=2)
    outcomes = []
    for number in range(1, 5):
        outcomes += await scheduler.outcomes(RunSubmission(template, "due", T + 60 * number))
        scheduler.client.delete("dramatiq:q")
    assert outcomes == ["enqueued", "enqueued", "backlog", "backlog"]


async def test_trigger_beyond_its_own_limit_does_not_raise_that_of_the_schedule(scheduler: Scheduler):
    """A trigger has a lower limit than the due runs of a schedule with maxQueueDepth, but counts the same runs."""
    await scheduler.load(template := schedule(concurrencyPolicy="Allow", maxQueueDepth=1_000_000))
    runs = [RunSubmission(template, "due", T + 60 * number) for number in range(1, MAX_BACKLOG_WITH_DEPTH + 2)]
    for batch in chunks(runs[:-1], 200):
        await scheduler.outcomes(*batch)
    assert await scheduler.outcomes(RunSubmission(template, "annotation", T, fence="x")) == ["backlog"]
    assert await scheduler.outcomes(runs[-1]) == ["backlog"]


async def test_list_that_another_program_filled_is_shortened(scheduler: Scheduler):
    """A list that is too long for the arguments of one command does not fail the batch of all schedules."""
    await scheduler.load(template := schedule(concurrencyPolicy="Allow"))
    ids = [f"foreign-{number}" for number in range(20_000)]
    scheduler.client.hset("dramatiq:q.msgs", mapping=dict.fromkeys(ids, "{}"))
    scheduler.client.rpush(keys.schedule_backlog(UID), *ids)
    assert await scheduler.outcomes(RunSubmission(template, "due", T + 60)) == ["backlog"]
    scheduler.client.delete("dramatiq:q.msgs")
    assert await scheduler.outcomes(RunSubmission(template, "due", T + 120)) == ["enqueued"]
    assert scheduler.client.llen(keys.schedule_backlog(UID)) == 1


async def test_list_of_another_type_is_replaced(scheduler: Scheduler):
    """A key of another type does not stop the schedule."""
    scheduler.client.set(keys.schedule_backlog(UID), "x")
    await fill(scheduler, 20)
    assert len(scheduler.due()) == 20
    assert scheduler.client.llen(keys.schedule_backlog(UID)) == 20


async def test_list_is_removed_with_its_schedule(scheduler: Scheduler):
    """A deleted schedule leaves no list."""
    await fill(scheduler, 20)
    scheduler.engine.apply(Changes(removed=[UID]))
    await scheduler.step_until_idle()
    assert not scheduler.client.exists(keys.schedule_backlog(UID))
