"""Tests of the check whether Redis has lost schedules."""

import pytest
from structlog.testing import capture_logs

from financehub_scheduler.core.changes import Changes
from financehub_scheduler.core.claims import Claims
from financehub_scheduler.redis.registry import Removal
from financehub_shared.redis import keys
from support.hand_driven import Scheduler
from support.schedules import UID, schedule

OTHER_UID = "00000000-0000-4000-8000-000000000002"


@pytest.fixture
def claims(scheduler: Scheduler) -> Claims:
    """The claims of a scheduler."""
    parts = scheduler.registry, scheduler.engine, scheduler.publisher, scheduler.engine.states, scheduler.clock
    return Claims(*parts)


async def test_find_loss_after_a_deletion_by_another_scheduler_claims_once(
    scheduler: Scheduler, second: Scheduler, claims: Claims
):
    """A schedule that only this scheduler still has is not lost, so the full check is not repeated."""
    await scheduler.load(schedule(), schedule("other", OTHER_UID))
    await claims.renew()
    await second.load(schedule())
    second.engine.apply(Changes(removed=[UID]))
    await second.step_until_idle()
    await claims.find_loss()
    before = scheduler.client.info("commandstats")["cmdstat_zmscore"]["calls"]
    with capture_logs() as logs:
        for _ in range(5):
            await claims.find_loss()
    assert logs == []
    assert scheduler.client.info("commandstats")["cmdstat_zmscore"]["calls"] == before


async def test_find_loss_after_each_loss_restores_the_schedules(scheduler: Scheduler, claims: Claims):
    """Every loss is found at once, even one that follows another, and one after a deletion by another scheduler.

    The list of refused schedules returns too.
    """
    await scheduler.load(schedule(), schedule("other", OTHER_UID))
    scheduler.publisher.refused = {"schedules.yaml:7": "the task is unknown"}
    await claims.renew()
    for _ in range(3):
        await scheduler.publisher.step()
        scheduler.client.flushall()
        await claims.find_loss()
        await scheduler.step_until_idle()
        await scheduler.publisher.step()
        assert scheduler.client.zcard(keys.SCHEDULES) == 2
        assert scheduler.client.hkeys(keys.SCHEDULES_REFUSED) == [b"schedules.yaml:7"]
    await scheduler.registry.unregister({UID: Removal(scheduler.clock.now())})
    await claims.find_loss()
    scheduler.client.flushall()
    await claims.find_loss()
    await scheduler.step_until_idle()
    assert scheduler.client.zcard(keys.SCHEDULES) == 2
