"""After a loss of data in Redis, no due time is submitted again that a scheduler knows to be settled."""

import time
from collections.abc import Sequence
from typing import Any

import pytest
import redis

from financehub_scheduler.core import firing
from financehub_scheduler.core.changes import Changes
from financehub_scheduler.redis.enqueuer import EncodedRun, EnqueueResult
from financehub_shared.core.clock import ManualClock
from support.hand_driven import Scheduler, T, build
from support.schedules import UID, schedule

OTHER = "5d1c1a64-8a63-5a0e-9b0a-000000000002"
EVERY: dict[str, Any] = {"schedule": "@every 60s", "concurrencyPolicy": "Allow", "catchUp": "All"}


async def lose(scheduler: Scheduler) -> None:
    """Empty Redis, and let the scheduler find the loss."""
    scheduler.client.flushall()
    scheduler.engine.restore(await scheduler.registry.claim(list(scheduler.engine.states), scheduler.clock.now()))


@pytest.mark.parametrize("late", [0.0, 130.0], ids=["one run", "several runs"])
async def test_restore_with_an_answer_that_waits_repeats_nothing(
    scheduler: Scheduler, monkeypatch: pytest.MonkeyPatch, late: float
) -> None:
    """The connection breaks for one of two batches, so the answer to the other one waits when Redis is found empty."""
    monkeypatch.setattr(firing, "BATCH", 1)
    await scheduler.load(schedule(**EVERY), schedule("other", uid=OTHER, **EVERY))
    submit = scheduler.enqueuer.submit

    async def break_for_the_other(runs: Sequence[EncodedRun], now: float) -> list[EnqueueResult]:
        if runs[0].run.schedule.uid == OTHER:
            raise redis.ConnectionError("gone")
        return await submit(runs, now)

    scheduler.clock.advance(59.5 + late)
    with monkeypatch.context() as outage:
        outage.setattr(scheduler.enqueuer, "submit", break_for_the_other)
        await scheduler.engine.step()
    settled = scheduler.due()
    assert settled == [60.0, 120.0, 180.0][: len(settled)]
    assert len(settled) == (3 if late else 1)
    await lose(scheduler)
    await scheduler.pass_time(3)
    assert scheduler.due() == settled, "only the runs of the other schedule"
    await scheduler.pass_time(57)
    assert scheduler.due()[len(settled) :] == [settled[-1] + 60] * 2


async def test_restore_before_the_answer_arrives_repeats_nothing(
    scheduler: Scheduler, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The loss is found while the answer to a submission is under way."""
    await scheduler.load(schedule(**EVERY))
    submit = scheduler.enqueuer.submit

    async def lose_before_the_answer(runs: Sequence[EncodedRun], now: float) -> list[EnqueueResult]:
        results = await submit(runs, now)
        await lose(scheduler)
        return results

    scheduler.clock.advance(59.5)
    with monkeypatch.context() as loss:
        loss.setattr(scheduler.enqueuer, "submit", lose_before_the_answer)
        await scheduler.engine.step()
    await scheduler.pass_time(1)
    assert scheduler.due() == []
    await scheduler.pass_time(60)
    assert scheduler.due() == [120.0]


async def test_edit_that_finds_the_loss_repeats_nothing(scheduler: Scheduler) -> None:
    """The time of an edit in a cluster has whole seconds, and is that of the API server, so it may be earlier."""
    await scheduler.load(schedule(**EVERY))
    await scheduler.pass_time(59.5)
    assert scheduler.due() == [60.0]
    scheduler.client.flushall()
    edited = schedule(**EVERY, maxQueueDepth=50)
    scheduler.engine.apply(Changes([edited], since={UID: T + 59}, keep_known_state=True))
    await scheduler.pass_time(1)
    assert scheduler.due() == []
    await scheduler.pass_time(60)
    assert scheduler.due() == [120.0]


async def test_restore_of_a_schedule_that_reached_max_runs_in_a_catch_up_repeats_nothing(scheduler: Scheduler) -> None:
    """The answer to the last run of a plan does not show what was settled before it."""
    await scheduler.load(schedule(**EVERY, maxRuns=2))
    await scheduler.pass_time(59.5 + 130)
    assert scheduler.due() == [60.0, 120.0]
    await lose(scheduler)
    await scheduler.pass_time(1)
    assert not {60.0, 120.0} & {*scheduler.due()}


@pytest.mark.parametrize("is_edit", [False, True], ids=["registered again", "edited"])
async def test_registration_after_a_failover_to_a_replica_that_was_behind_repeats_nothing(
    scheduler: Scheduler, is_edit: bool
) -> None:
    """Redis has all of its keys, as they were a moment before a due time was settled, so nothing looks lost."""
    client = scheduler.client
    await scheduler.load(schedule(**EVERY))
    before = {key: client.dump(key) for key in client.keys("*")}
    await scheduler.pass_time(59.5)
    assert scheduler.due() == [60.0]
    client.flushall()
    for key, value in before.items():
        client.restore(key, 0, value)
    await scheduler.load(schedule(**EVERY, **({"retries": 1} if is_edit else {})))
    await scheduler.pass_time(1)
    assert scheduler.due() == []
    await scheduler.pass_time(60)
    assert scheduler.due() == [120.0]


async def test_restore_by_another_scheduler_with_an_older_mark_repeats_nothing(
    scheduler: Scheduler, second: Scheduler
) -> None:
    """After a loss of data, the first scheduler that restores a schedule may not know what another one has settled."""
    for each in (scheduler, second):
        await each.load(schedule(**EVERY))
    await scheduler.pass_time(59.5)
    await second.step_until_idle()
    await scheduler.pass_time(60)
    assert scheduler.due() == [60.0, 120.0]
    scheduler.client.flushall()
    second.engine.restore([UID])
    while second.engine._registrar.pending:
        await second.engine._registrar.step(second.engine._answers)
    scheduler.engine.restore([UID])
    await scheduler.pass_time(1)
    assert scheduler.due() == []
    await scheduler.pass_time(60)
    assert scheduler.due() == [180.0]


async def test_restore_after_the_clocks_went_back_starts_now(redis_url: str, redis_client: "redis.Redis") -> None:
    """A mark in the future, from a clock that was wrong, does not stop a schedule that is created again until then."""
    scheduler = build(redis_url, ManualClock(time.time()), redis_client, ahead_limit=60.0)
    await scheduler.load(schedule(**EVERY))
    scheduler.clock.set_wall(scheduler.clock.now() - 3.0)
    scheduler.engine.states[UID].high_water_mark = scheduler.clock.now() + 7_200.0
    await lose(scheduler)
    await scheduler.step_until_idle()
    assert scheduler.engine.states[UID].high_water_mark < time.time() + 1.0
    await scheduler.connection.aclose()
