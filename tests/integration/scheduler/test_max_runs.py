"""`maxRuns` counts the due runs that were enqueued, whatever else happens to due times, on a real Redis."""

import random
from typing import Any

import pytest

from financehub_scheduler.redis.enqueuer import RunSubmission
from financehub_shared.operations.schedules import pause_schedules, resume_schedules
from financehub_shared.redis import keys
from support.hand_driven import Scheduler
from support.schedules import UID, messages, schedule

POLICIES = ["Allow", "Forbid", "Replace", "BufferOne", "BufferAll"]
#: What prevents runs while the schedule catches up: nothing, a full queue, or its own unfinished runs.
LIMITS = ["none", "queue", "backlog"]


class Counted:
    """Checks the number of enqueued due runs of a schedule with `maxRuns`."""

    def __init__(self, scheduler: Scheduler, max_runs: int) -> None:
        self._scheduler = scheduler
        self._max_runs = max_runs

    def check(self) -> None:
        """Assert that the schedule is exhausted only after its last run, and that no further run was enqueued."""
        scheduler = self._scheduler
        runs = int(scheduler.field(UID, "runs") or 0)
        assert runs <= self._max_runs
        # Each run that was enqueued is among the newest ten.
        assert runs == scheduler.client.llen(keys.schedule_recent(UID))
        if scheduler.engine.states[UID].problem == "maxRuns reached":
            assert runs == self._max_runs

    async def end_all(self) -> None:
        """End all runs in the queue, and release the next buffered run."""
        for each in messages(self._scheduler.client):
            self._scheduler.end_run(each["message_id"])
        await self._scheduler.on_demand.step()
        self.check()


async def block(scheduler: Scheduler, limit: str) -> dict[str, Any]:
    """Set up a limit, and return the fields of the spec that belong to it."""
    if limit == "queue":
        scheduler.client.hset("dramatiq:q.msgs", mapping={"other": "{}"})
        return {"maxQueueDepth": 0}
    if limit == "backlog":
        scheduler.enqueuer._context["max_backlog"] = 1
    return {}


@pytest.mark.parametrize("catch_up", ["None", "Latest", "All"])
@pytest.mark.parametrize("limit", LIMITS)
@pytest.mark.parametrize("policy", POLICIES)
async def test_schedule_with_max_runs_has_exactly_that_many(
    scheduler: Scheduler, policy: str, limit: str, catch_up: str
) -> None:
    """After an outage of ten due times with any limit, and then one due time each minute, three runs are enqueued."""
    spec = {"concurrencyPolicy": policy, "catchUp": catch_up, "maxRuns": 3} | await block(scheduler, limit)
    await scheduler.load(schedule(**spec))
    counted = Counted(scheduler, 3)
    await scheduler.pass_time(600)
    counted.check()
    assert (scheduler.engine.states[UID].problem == "maxRuns reached") is (scheduler.field(UID, "runs") == "3")
    scheduler.client.hdel("dramatiq:q.msgs", "other")
    for _ in range(6):
        await counted.end_all()
        await scheduler.pass_time(60)
        counted.check()
    assert scheduler.field(UID, "runs") == "3"
    await counted.end_all()
    await scheduler.pass_time(60)
    assert scheduler.engine.states[UID].problem == "maxRuns reached"
    assert messages(scheduler.client) == []


@pytest.mark.parametrize("policy", POLICIES)
async def test_pause_does_not_count_toward_max_runs(scheduler: Scheduler, policy: str) -> None:
    """Due times during a pause, and buffered runs that it drops, do not count."""
    await scheduler.load(schedule(concurrencyPolicy=policy, maxRuns=3))
    counted = Counted(scheduler, 3)
    for _ in range(2):
        await scheduler.pass_time(60)
    pause_schedules(scheduler.client, ["demo"], "maintenance", "alice")
    await scheduler.pauses.step()
    await counted.end_all()
    await scheduler.pass_time(600)
    resume_schedules(scheduler.client, ["demo"])
    # The time of Redis, with which it records the resumption, is not that of the test.
    scheduler.client.hset(keys.schedule(UID), "changed_at", f"{scheduler.clock.now():.3f}")
    await scheduler.pauses.step()
    for _ in range(6):
        await scheduler.pass_time(60)
        await counted.end_all()
    assert scheduler.field(UID, "runs") == "3"
    assert scheduler.field(UID, "missed") is None


async def test_trigger_after_the_last_run_is_enqueued(scheduler: Scheduler) -> None:
    """Triggers do not count, and run also after the schedule is exhausted."""
    demo = schedule(maxRuns=1, concurrencyPolicy="Allow")
    await scheduler.load(demo)
    for _ in range(2):
        await scheduler.pass_time(60)
    assert scheduler.engine.states[UID].problem == "maxRuns reached"
    assert await scheduler.outcomes(RunSubmission(demo, "annotation", 0, fence="x")) == ["enqueued"]
    assert scheduler.field(UID, "runs") == "1"
    assert scheduler.field(UID, "triggered") == "1"


@pytest.mark.parametrize("seed", range(10))
async def test_any_order_of_steps_of_two_schedulers_enqueues_exactly_max_runs(
    scheduler: Scheduler, second: Scheduler, seed: int
) -> None:
    """With two schedulers, outages, ends of runs and any policy, no run is missing and none is too many."""
    chance = random.Random(seed)
    policy, max_runs = chance.choice(POLICIES), chance.choice([1, 3, 7])
    for each in (scheduler, second):
        each.enqueuer._context["max_backlog"] = chance.choice([1, 2, 100])
        await each.load(schedule(concurrencyPolicy=policy, catchUp="All", maxRuns=max_runs))
    counted = Counted(scheduler, max_runs)
    for _ in range(60):
        scheduler.clock.advance(chance.choice([0, 30, 60, 300]))
        await chance.choice([scheduler, second]).step_until_idle()
        counted.check()
        if chance.random() < 0.6:
            await counted.end_all()
    assert scheduler.field(UID, "runs") == str(max_runs)


async def test_raising_max_runs_continues_the_schedule_without_catching_up(scheduler: Scheduler) -> None:
    """A due time after the last run was not due, so raising maxRuns a few seconds later does not run it."""
    await scheduler.load(schedule(concurrencyPolicy="Allow", maxRuns=1))
    await scheduler.pass_time(59.5)
    await scheduler.pass_time(60)
    assert scheduler.engine.states[UID].problem == "maxRuns reached"
    await scheduler.pass_time(5)
    await scheduler.load(schedule(concurrencyPolicy="Allow", maxRuns=2), keep_known_state=False)
    assert scheduler.due() == [60]
    await scheduler.pass_time(60)
    assert scheduler.due() == [60, 180]
