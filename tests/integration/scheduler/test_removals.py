"""Tests that a deletion has its effect whatever the clocks show, and that a late one leaves a newer schedule."""

import json
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
import redis

from financehub_scheduler.core.changes import Changes
from financehub_scheduler.redis.lua_scripts import load_script
from financehub_scheduler.redis.registry import Registration, Removal
from financehub_shared.core.clock import ManualClock
from financehub_shared.redis import keys
from financehub_shared.schedules.pauses import Pause, add_pauses
from support.hand_driven import Scheduler, build
from support.schedules import UID, schedule
from support.shared_fleet import many


@pytest.fixture
async def scheduler(redis_url: str, redis_client: "redis.Redis") -> AsyncIterator[Scheduler]:
    """A scheduler whose clock agrees with the clock of Redis."""
    built = build(redis_url, ManualClock(time.time()), redis_client, ahead_limit=60.0)
    yield built
    await built.connection.aclose()


@pytest.fixture
async def second(scheduler: Scheduler, redis_url: str, redis_client: "redis.Redis") -> AsyncIterator[Scheduler]:
    """Another scheduler on the same Redis, whose clock is 3 s behind."""
    built = build(redis_url, ManualClock(scheduler.clock.now() - 3.0), redis_client, ahead_limit=60.0)
    yield built
    await built.connection.aclose()


def marks(client: "redis.Redis") -> dict[bytes, bytes]:
    """Return the high-water marks."""
    return client.hgetall(keys.HIGH_WATER_MARKS)


async def create(scheduler: Scheduler, since: float | None = None) -> None:
    """Register the schedule. For a resource, `since` is the time of its creation by the clock of the API server."""
    times = {} if since is None else {UID: since}
    scheduler.engine.apply(Changes([schedule()], since=times, keep_known_state=since is not None))
    await scheduler.step_until_idle()


async def remove(scheduler: Scheduler) -> None:
    """Let a scheduler notice the deletion, and bring it to Redis."""
    scheduler.engine.apply(Changes(removed=[UID]))
    await scheduler.step_until_idle()


def assert_removed(client: "redis.Redis") -> None:
    """Assert that only the tombstone is left."""
    record = client.hgetall(keys.schedule(UID))
    assert record.keys() == {b"fingerprint", b"settled"}
    assert record[b"fingerprint"] == b"deleted"
    for key in (keys.HIGH_WATER_MARKS, keys.SCHEDULE_NEXT_RUNS):
        assert not client.hexists(key, UID), key
    assert client.hgetall(keys.SCHEDULE_NAMES) == {}
    assert client.zcard(keys.SCHEDULES) == 0


@pytest.mark.parametrize("ahead", [0.0, 0.001, 2.5, 59.0, 3_600.0])
async def test_deletion_of_a_resource_whose_creation_is_ahead_removes_it(scheduler: Scheduler, ahead: float) -> None:
    """A resource that is deleted within the skew of the API server's clock is deleted in Redis."""
    await create(scheduler, since=scheduler.clock.now() + ahead)
    scheduler.clock.advance(2.0)
    await remove(scheduler)
    assert_removed(scheduler.client)


async def test_deletion_by_a_scheduler_that_does_not_know_the_resource_removes_it(scheduler: Scheduler) -> None:
    """The same, if the reply of the registration was lost, so that the scheduler only knows when it was sent."""
    await create(scheduler, since=scheduler.clock.now() + 59.0)
    scheduler.clock.advance(0.001)
    await scheduler.registry.unregister({UID: Removal(scheduler.clock.now())})
    assert_removed(scheduler.client)


@pytest.mark.parametrize("seconds", [0.0, -1.0, -30.0, -3_600.0])
async def test_deletion_after_the_clock_was_set_back_removes_the_schedule(scheduler: Scheduler, seconds: float) -> None:
    """A scheduler recognizes the schedule that it knew by its creation, whatever its clock shows now."""
    await create(scheduler)
    scheduler.clock.set_wall(scheduler.clock.now() + seconds)
    await remove(scheduler)
    assert_removed(scheduler.client)


async def test_deletion_by_a_scheduler_whose_clock_is_behind_removes_the_schedule(
    scheduler: Scheduler, second: Scheduler
) -> None:
    """The same, if another scheduler has registered it first."""
    await create(scheduler)
    await create(second)
    await remove(second)
    assert_removed(scheduler.client)


async def test_late_deletion_of_a_schedule_that_was_created_again_leaves_the_new_one(
    scheduler: Scheduler, second: Scheduler
) -> None:
    """Another scheduler has noticed the deletion earlier, and created the schedule again since."""
    await create(scheduler)
    await create(second)
    second.engine.apply(Changes(removed=[UID]))
    scheduler.clock.advance(1.0)
    await remove(scheduler)
    scheduler.clock.advance(1.0)
    await create(scheduler)
    before = scheduler.client.hgetall(keys.schedule(UID))
    await second.step_until_idle()
    assert scheduler.client.hgetall(keys.schedule(UID)) == before
    assert scheduler.client.hexists(keys.HIGH_WATER_MARKS, UID)


async def create_again(scheduler: Scheduler) -> None:
    """Delete the schedule, create it again a second later, and give it a run and a pause."""
    await remove(scheduler)
    scheduler.clock.advance(1.0)
    await create(scheduler)
    scheduler.client.hset(keys.schedule(UID), "runs", 1)
    add_pauses(scheduler.client, [UID], Pause("ann", "a test", scheduler.clock.now()))


def data_of(client: "redis.Redis") -> list[dict[bytes, bytes]]:
    """Return the record, the mark and the pause, which a deletion removes."""
    return [client.hgetall(key) for key in (keys.schedule(UID), keys.HIGH_WATER_MARKS, keys.SCHEDULES_PAUSED)]


@pytest.mark.parametrize("stopped", [5.0, 3_600.0])
async def test_deletion_by_a_scheduler_that_was_stopped_leaves_the_schedule_that_was_created_again(
    scheduler: Scheduler, second: Scheduler, stopped: float
) -> None:
    """A scheduler that is stopped after its look at the folder applies the deletion later than the new creation.

    The new schedule keeps its counters and its pause.
    """
    await create(scheduler)
    await create(second)
    looked_at = second.clock.now()
    await create_again(scheduler)
    before = data_of(scheduler.client)
    second.clock.advance(stopped)
    second.engine.apply(Changes(removed=[UID], looked_at=looked_at))
    await second.step_until_idle()
    assert data_of(scheduler.client) == before
    second.engine.apply(Changes([schedule()]))
    await second.step_until_idle()
    assert data_of(scheduler.client) == before
    assert second.engine.states[UID].paused


async def lose_reply(scheduler: Scheduler, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let Redis execute a registration of the schedule, and lose its reply."""
    registry = scheduler.registry
    register = registry.register

    async def register_without_a_reply(*args: Any) -> None:
        await register(*args)
        raise redis.ConnectionError("the reply is lost")

    with monkeypatch.context() as patched:
        patched.setattr(registry, "register", register_without_a_reply)
        scheduler.engine.apply(Changes([schedule()]))
        await scheduler.engine.step()
    scheduler.clock.advance(3.0)


async def test_deletion_after_the_reply_of_the_registration_was_lost_removes_the_schedule(
    second: Scheduler, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The scheduler knows what it may have created, although Redis has not told it."""
    await lose_reply(second, monkeypatch)
    assert second.field(UID, "fingerprint") == schedule().fingerprint
    await remove(second)
    assert_removed(second.client)


async def test_deletion_after_the_reply_of_the_registration_was_lost_leaves_a_newer_schedule(
    scheduler: Scheduler, second: Scheduler, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same, if another scheduler has created the schedule again since."""
    await lose_reply(second, monkeypatch)
    await create(scheduler)
    await create_again(scheduler)
    before = data_of(scheduler.client)
    second.clock.advance(60.0)
    await remove(second)
    assert data_of(scheduler.client) == before


@pytest.mark.parametrize("knows_an_older_one", [True, False])
@pytest.mark.parametrize(("seconds", "is_removed"), [(180.0, True), (60.0, False)])
async def test_deletion_of_a_schedule_that_the_scheduler_does_not_know_removes_it_if_it_is_old(
    scheduler: Scheduler, second: Scheduler, seconds: float, is_removed: bool, knows_an_older_one: bool
) -> None:
    """A scheduler that has missed a deletion and a creation, or has never got a reply, removes what is surely older."""
    await create(scheduler)
    if knows_an_older_one:
        await create(second)
    await create_again(scheduler)
    second.clock.advance(seconds)
    await remove(second)
    assert (scheduler.field(UID, "fingerprint") == "deleted") is is_removed


@pytest.mark.parametrize(("seconds", "is_removed"), [(0.0, True), (-1.0, False)])
async def test_deletion_by_an_earlier_release_is_compared_by_its_time(
    scheduler: Scheduler, seconds: float, is_removed: bool
) -> None:
    """During an upgrade, schedulers send deletions without the creation, and records have an older creation."""
    await create(scheduler)
    at = round((scheduler.clock.now() + seconds) * 1000)
    scheduler.client.eval(load_script("unregister"), 0, json.dumps([[UID, at]]))
    assert (scheduler.field(UID, "fingerprint") == "deleted") is is_removed


@pytest.mark.parametrize("created_at", [None, "", "x", "9" * 400, "nan"])
async def test_deletion_of_a_record_without_its_creation_removes_it(
    scheduler: Scheduler, second: Scheduler, created_at: str | None
) -> None:
    """A creation that is missing or damaged does not keep a deleted schedule."""
    await create(scheduler)
    record = keys.schedule(UID)
    if created_at is None:
        scheduler.client.hdel(record, "created_at")
    else:
        scheduler.client.hset(record, "created_at", created_at)
    await create(second)
    await remove(second)
    assert_removed(scheduler.client)


@pytest.mark.parametrize("deletions", [1, 2, 3])
async def test_registration_by_a_scheduler_that_missed_the_deletion_settles_nothing_again(
    scheduler: Scheduler, deletions: int
) -> None:
    """A late registration creates the schedule, but what was settled before the deletion stays settled.

    The deletion may also arrive more than once, or be followed by another late registration.
    """
    # A scheduler enqueues nothing that is far ahead of the clock of Redis.
    scheduler.clock.set_wall(scheduler.clock.now() - 150.0)
    received = scheduler.clock.now()
    await create(scheduler)
    await scheduler.pass_time(120.0)
    settled = marks(scheduler.client)
    assert int(settled[UID.encode()]) > received * 1000
    for _ in range(deletions):
        await remove(scheduler)
        await remove(scheduler)
        late = Registration(schedule(), received, keep_known_state=True)
        (result,) = await scheduler.registry.register([late], scheduler.clock.now())
        assert result is not None
        assert result.outcome == "created"
        assert marks(scheduler.client) == settled


@pytest.mark.parametrize("settled", ["", "x", "-1", "9" * 400, "99999999999999"])
async def test_registration_after_a_damaged_tombstone_starts_at_its_own_time(
    scheduler: Scheduler, settled: str
) -> None:
    """A damaged tombstone neither stops the new schedule nor lets it start earlier."""
    await create(scheduler)
    await remove(scheduler)
    scheduler.client.hset(keys.schedule(UID), "settled", settled)
    now = scheduler.clock.now()
    await create(scheduler)
    assert abs(int(marks(scheduler.client)[UID.encode()]) - now * 1000) < 2


async def test_many_removals_and_deactivations_leave_time_for_due_runs_between_their_batches(
    scheduler: Scheduler,
) -> None:
    """A folder that is emptied delays no run, and a new schedule waits until the one that had its name is removed."""
    removed, deactivated = many(1_000)[:600], many(1_000)[600:]
    await scheduler.load(*removed, *deactivated)
    successor = schedule("s599")
    ended = {each.uid: "invalid" for each in deactivated}
    scheduler.engine.apply(Changes([successor], removed=[each.uid for each in removed], deactivated=ended))
    left = []
    while await scheduler.engine.step() == 0.0:
        left.append(len(scheduler.engine.states))
    assert left[:2] == [500, 100]
    assert list(scheduler.engine.states) == [UID]
    assert scheduler.client.hget(keys.SCHEDULE_NAMES, successor.name) == UID.encode()
