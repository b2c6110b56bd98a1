"""A schedule with `concurrencyPolicy: Allow` cannot fill Redis (F12)."""

from typing import Any

import pytest

from financehub_scheduler.core.changes import Changes
from financehub_scheduler.redis.enqueuer import MAX_BACKLOG, Enqueuer, RunSubmission
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
    """A schedule that sets maxQueueDepth allows as many messages as it says."""
    await fill(scheduler, 150, maxQueueDepth=1_000)
    assert len(scheduler.due()) == 150
    assert not scheduler.client.exists(keys.schedule_backlog(UID))


@pytest.mark.parametrize("policy", ["Forbid", "Replace", "BufferOne"])
async def test_other_policies_have_no_list(scheduler: Scheduler, policy: str):
    """The other policies keep at most two messages in the queue, so nothing is counted."""
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
