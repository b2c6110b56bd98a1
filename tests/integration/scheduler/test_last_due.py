"""Tests of a schedule's last due time, and of the freshness limits that depend on it."""

import json
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from financehub_shared.core.catalog import CATALOG
from financehub_shared.health.freshness import stale_after
from financehub_shared.redis import keys
from financehub_shared.schedules import list_schedules, request_backfill, request_trigger, show_schedule
from support.hand_driven import Scheduler
from support.schedules import UID, messages, schedule

#: The last due time before a weekend in New York: Friday, 27 February 2026.
CLOSE = datetime(2026, 2, 27, 20, 55, tzinfo=UTC).timestamp()
#: Five minutes of trading in the month before.
EARLIER = datetime(2026, 1, 28, 16, 0, tzinfo=UTC).timestamp()
TASK = CATALOG["fetch_stock_prices_task"]
HOUR, DAY = 3_600.0, 86_400.0


async def trigger(scheduler: Scheduler) -> None:
    """Trigger a run manually, make it fail, and let an hour pass."""
    run_id = request_trigger(scheduler.client, "demo")
    # The request has the time of Redis, and a scheduler ignores one from the future.
    ((request, value),) = scheduler.client.hgetall(keys.SCHEDULE_TRIGGERS).items()
    dated = json.loads(value) | {"at": scheduler.clock.now()}
    scheduler.client.hset(keys.SCHEDULE_TRIGGERS, request, json.dumps(dated))
    await scheduler.on_demand.step()
    assert messages(scheduler.client, "high")[-1]["message_id"] == run_id
    scheduler.end_run(run_id, "dead-lettered", "high")
    await scheduler.pass_time(HOUR)


async def backfill(scheduler: Scheduler) -> None:
    """Backfill five due times that are 30 days old."""
    before = scheduler.client.llen("dramatiq:high")
    request_backfill(scheduler.client, "demo", EARLIER, EARLIER + 240)
    for _ in range(3):
        await scheduler.on_demand.step()
    assert scheduler.client.llen("dramatiq:high") == before + 5


async def expire_run_records(scheduler: Scheduler) -> None:
    """Make the records of all runs expire."""
    for key in scheduler.client.keys(keys.run("*")):
        scheduler.client.delete(key)


async def do_nothing(scheduler: Scheduler) -> None:
    """Leave the due runs as they are."""


@pytest.mark.parametrize("happens", [do_nothing, trigger, backfill, expire_run_records])
async def test_last_due_at_on_a_weekend_is_that_of_the_newest_scheduled_run(
    scheduler: Scheduler, happens: Callable[[Scheduler], object]
) -> None:
    """Neither triggers, nor backfills, nor expired run records change the last due time of a schedule.

    Health derives a dataset's freshness limit from it, so Friday's quotes are fresh until the exchange opens.
    """
    scheduler.clock.set_wall(CLOSE - 150)
    demo = schedule(
        task=TASK.name, queue="high", schedule="* * * * *", calendar="XNYS", timeZone="UTC", concurrencyPolicy="Allow"
    )
    await scheduler.load(demo)
    for _ in range(3):
        await scheduler.pass_time(60)
    # Trading continues until five minutes after CLOSE.
    await scheduler.pass_time(CLOSE + 240 - scheduler.clock.now())
    scheduler.clock.set_wall(CLOSE + DAY)
    await scheduler.step_until_idle()
    last_due = float(scheduler.field(UID, "last_due_at") or 0)
    assert last_due == CLOSE + 240
    await happens(scheduler)  # type: ignore[misc]
    await scheduler.publisher.step()
    (info,) = list_schedules(scheduler.client)
    assert info.last_due_at == show_schedule(scheduler.client, "demo").last_due_at == last_due
    now = scheduler.clock.now()
    assert stale_after(TASK, [info], now) == now - last_due
